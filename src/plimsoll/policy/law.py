"""The law of output lengths: survival curves on one fixed grid of ratios output / predicted.

``survival[kind, g]`` is P(output / predicted > 2^((g − ZERO)/PER_OCTAVE)). Point ZERO is the ratio 1. Between two points the
curve keeps the value of the lower one, so it never says that a request is more likely to be done than it is, and a known
length is a step at exactly 1.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..jit import njit
from .view import View

PER_OCTAVE = 16
OCTAVES = 8
ZERO = OCTAVES * PER_OCTAVE
POINTS = 2 * ZERO + 1
RATIOS: npt.NDArray[np.float64] = 2.0 ** ((np.arange(POINTS) - ZERO) / PER_OCTAVE)


def known() -> npt.NDArray[np.float64]:
    """The law of an exact prediction, shape (1, POINTS)."""
    return (np.arange(POINTS) < ZERO).astype(np.float64)[None, :]


def law_of(ratios: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The empirical law of a sample of output / predicted, shape (POINTS,)."""
    ordered = np.sort(ratios)
    return 1.0 - np.searchsorted(ordered, RATIOS * (1 + 1e-12), side="right") / max(1, len(ordered))


@njit()
def point(ratio: float) -> int:
    """The last grid point not above ``ratio``, −1 below the grid."""
    if ratio < RATIOS[0]:
        return -1
    g = min(POINTS - 1, int(math.floor(math.log2(ratio) * PER_OCTAVE)) + ZERO)
    if g + 1 < POINTS and RATIOS[g + 1] <= ratio:
        g += 1
    elif RATIOS[g] > ratio:
        g -= 1
    return g


@njit()
def survives(view: View, i: int, tokens: float) -> float:
    """P(output of request i > tokens), by its law."""
    if tokens <= 0:
        return 1.0
    g = point(tokens / view.requests[i].predicted)
    return 1.0 if g < 0 else view.survival[view.requests[i].kind, g]
