"""Survival curves: how likely an output is to be longer than a multiple of what was predicted."""

from __future__ import annotations

import math

import numpy as np

from ..jit import njit
from ..trace import Floats, Ints

PER_OCTAVE = 4
LOWEST, HIGHEST = -32, 29  # quarter octaves: ratios 1/256 to 152
BELOW_ONE = 1e-6  # the point just below 1 that lets an exact prediction be a step

GRID: Floats = np.concatenate(
    [
        [0.0],
        2.0 ** (np.arange(LOWEST, 0) / PER_OCTAVE),
        [1.0 - BELOW_ONE],
        2.0 ** (np.arange(HIGHEST + 1) / PER_OCTAVE),
    ]
)
POINTS = len(GRID)  # 64
ONE = 2 - LOWEST  # GRID[ONE] == 1


@njit()
def cell(ratio: float) -> int:
    """The largest j with ``GRID[j] <= ratio``; the last point for a ratio beyond the grid. ``ratio >= 0``."""
    if ratio < GRID[1]:
        return 0
    if ratio >= GRID[POINTS - 1]:
        return POINTS - 1
    j = int(np.floor(math.log2(ratio) * PER_OCTAVE)) - LOWEST + 1
    if j >= ONE - 1:
        j += 1
    j = min(max(j, 1), POINTS - 1)
    while GRID[j] > ratio:
        j -= 1
    while j + 1 < POINTS and GRID[j + 1] <= ratio:
        j += 1
    return j


@njit()
def alive(curve: Floats, ratio: float) -> float:
    """P(output/predicted > ratio), linear between grid points, the last value beyond the grid.

    Parameters
    ----------
    curve : shape (POINTS,), P(output/predicted > GRID[j]), not increasing.
    ratio : at least 0.
    """
    return between(curve, cell(ratio), ratio)


@njit()
def between(curve: Floats, j: int, ratio: float) -> float:
    """The curve at a ratio in cell j; where the curve is flat there is nothing to divide."""
    if j == POINTS - 1 or curve[j + 1] == curve[j]:
        return float(curve[j])
    share = (ratio - GRID[j]) / (GRID[j + 1] - GRID[j])
    return float(curve[j] + share * (curve[j + 1] - curve[j]))


def step() -> Floats:
    """The curve of an exact prediction, shape (1, POINTS): 1 below the ratio 1, 0 from there on."""
    return (GRID < 1.0).astype(np.float64)[None, :]


def inverse_uniform(low: float, high: float) -> Floats:
    """The curve, shape (1, POINTS), of 1/U with U uniform on [low, high]; 0 <= low <= high.

    It is the law of output/predicted when predicted = output · U.
    """
    if high - low < 1e-12:
        return (GRID * high < 1.0).astype(np.float64)[None, :]
    with np.errstate(divide="ignore"):
        return np.clip((1.0 / GRID - low) / (high - low), 0.0, 1.0)[None, :]


def lognormal(sigma: float) -> Floats:
    """The curve, shape (1, POINTS), of exp(sigma · Z) with Z standard normal."""
    if sigma == 0.0:
        return step()
    tail = [0.5 * math.erfc(math.log(ratio) / sigma / math.sqrt(2.0)) if ratio > 0 else 1.0 for ratio in GRID]
    return np.array(tail)[None, :]


def empirical(output: Ints, predicted: Ints | Floats, kind: Ints, kinds: int) -> Floats:
    """The observed curve of each class; a class without members gets that of all requests.

    Parameters
    ----------
    output, predicted, kind : shape (n,); ``0 <= kind < kinds``, ``n >= 1``.

    Returns
    -------
    Shape (kinds, POINTS).
    """
    above = np.searchsorted(GRID, output / predicted, side="left")  # how many grid points lie below the ratio
    counts = np.bincount(kind * (POINTS + 1) + above, minlength=kinds * (POINTS + 1))
    counts = counts.reshape(kinds, POINTS + 1)
    counts[counts.sum(axis=1) == 0] = counts.sum(axis=0)
    beyond = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]  # beyond[k, a]: members with at least a points below
    return beyond[:, 1:] / beyond[:, :1]
