"""Blocks and seconds of a stretch of steps in which every running request decodes.

A request with offset b holds b + t tokens in step t, so it needs a new block in every step t with
b + t - 1 divisible by the block size: a histogram of b modulo the block size tells how many blocks any number of
steps takes without touching a request. The seconds of such steps grow by the same amount from one to the next.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..jit import bare

Ints = npt.NDArray[np.int64]


@bare()
def blocks_of(tokens: int, size: int) -> int:
    """Blocks that hold ``tokens`` tokens."""
    return (tokens + size - 1) // size


@bare()
def needed(residue: Ints, step: int) -> int:
    """Blocks that the decoding requests need in step ``step``; ``residue`` counts their offsets modulo its length."""
    return residue[(1 - step) % len(residue)]


@bare()
def taken(residue: Ints, decoding: int, step: int, steps: int) -> int:
    """Blocks that ``decoding`` requests take in the ``steps`` steps after ``step``."""
    size = len(residue)
    total = steps // size * decoding
    for t in range(steps % size):
        total += residue[(-step - t) % size]
    return total


@bare()
def affordable(residue: Ints, decoding: int, step: int, steps: int, free: int) -> int:
    """The most of the ``steps`` steps after ``step`` for which ``free`` blocks suffice."""
    size = len(residue)
    if decoding == 0 or free >= (steps // size + 1) * decoding:
        return steps
    whole = min(free // decoding, steps // size)
    rest, found = free - whole * decoding, whole * size
    while found < steps:
        rest -= residue[(-step - found) % size]
        if rest < 0:
            break
        found += 1
    return found


@bare()
def stretch_seconds(first: float, growth: float, steps: int) -> float:
    """Seconds of ``steps`` steps, the first of which takes ``first`` and each later one ``growth`` more."""
    return steps * first + growth * (0.5 * steps * (steps - 1))


@bare()
def steps_until(first: float, growth: float, most: int, seconds: float) -> int:
    """The fewest steps, from 1 to ``most``, that take at least ``seconds``; ``most`` if none do."""
    if seconds <= first:
        return 1
    if stretch_seconds(first, growth, most) < seconds:
        return most
    ahead = first - 0.5 * growth
    guess = 2.0 * seconds / (ahead + math.sqrt(ahead * ahead + 2.0 * growth * seconds))
    steps = min(most, max(1, math.ceil(guess)))
    while steps > 1 and stretch_seconds(first, growth, steps - 1) >= seconds:
        steps -= 1
    while steps < most and stretch_seconds(first, growth, steps) < seconds:
        steps += 1
    return steps
