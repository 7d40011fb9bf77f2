"""A survival curve that learns: Kaplan–Meier on the grid, over finished and running requests, forgetting.

Everything works on bare arrays, compiled, at the cost of one pass over the grid per finished request. A
*ratio* is a length over the scale that the curve is relative to.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ..jit import njit
from ..trace import Floats
from .survival import GRID, POINTS, cell

HEAVY = 1e100  # the weight of an observation at which a row is scaled back


@njit()
def observe(deaths: Floats, clock: Floats, k: int, ratio: float, half_life: float) -> None:
    """Count one finished request in row ``k``; all earlier ones lose weight.

    Weights of new observations grow instead of old ones shrinking, so that the cost is one cell's.

    Parameters
    ----------
    deaths : shape (rows, POINTS), weight of outputs whose ratio lies in (GRID[j], GRID[j + 1]].
    clock : shape (rows,), weight of the newest observation of each row.
    half_life : finished requests of the row after which an observation counts half.
    """
    clock[k] *= 2.0 ** (1.0 / half_life)
    j = cell(ratio)
    if GRID[j] == ratio and j > 0:
        j -= 1
    deaths[k, j] += clock[k]
    if clock[k] > HEAVY:
        deaths[k] /= clock[k]
        clock[k] = 1.0


@njit()
def censor(reached: Floats, ratio: float) -> None:
    """Count a running request, which has outlived ``ratio``, in ``reached`` of shape (POINTS,).

    Entry j gets the share of the cell (GRID[j], GRID[j + 1]] that it has outlived; ``renew`` sums up.
    """
    j = cell(ratio)
    if j > 0:
        reached[j - 1] += 1.0
    if j < POINTS - 1:
        share = (ratio - GRID[j]) / (GRID[j + 1] - GRID[j])
        reached[j] += share
        if j > 0:
            reached[j - 1] -= share


@njit()
def renew(curve: Floats, deaths: Floats, weight: float, reached: Floats, prior: Floats, trust: float) -> None:
    """Write the curve of one row from what was counted.

    Parameters
    ----------
    curve : shape (POINTS,), P(ratio > GRID[j]), written.
    deaths : shape (POINTS,), see ``observe``; ``weight`` is the row's clock.
    reached : shape (POINTS,), see ``censor``.
    prior : shape (POINTS,), the curve believed before anything was seen, worth ``trust`` requests.

    References
    ----------
    Kaplan and Meier (1958), J. American Statistical Association 53; the prior's hazard is mixed in.
    """
    risk, running = 0.0, 0.0
    for j in range(POINTS - 1, -1, -1):  # curve holds the hazard of cell j for now
        mass = deaths[j] / weight
        after = prior[j + 1] if j + 1 < POINTS else 0.0
        risk += mass
        running += reached[j]
        exposed = risk + running + trust * prior[j]
        curve[j] = (mass + trust * (prior[j] - after)) / exposed if exposed > 0.0 else 0.0
    alive = 1.0
    for j in range(POINTS):
        hazard = curve[j]
        curve[j] = alive
        alive *= 1.0 - min(max(hazard, 0.0), 1.0)


@njit()
def mean_of(curve: Floats) -> float:
    """The mean ratio by the curve, up to the end of the grid."""
    total = 0.0
    for j in range(POINTS - 1):
        total += 0.5 * (curve[j] + curve[j + 1]) * (GRID[j + 1] - GRID[j])
    return total


@njit()
def quantile_of(curve: Floats, share: float) -> float:
    """The ratio below which ``share`` of the outputs lie, linear within a cell."""
    left = 1.0 - share
    for j in range(1, POINTS):
        if curve[j] <= left:
            drop = curve[j - 1] - curve[j]
            part = (curve[j - 1] - left) / drop if drop > 0.0 else 1.0
            return GRID[j - 1] + part * (GRID[j] - GRID[j - 1])
    return GRID[POINTS - 1]


@njit()
def bucket_of(prompt: int, buckets: int) -> int:
    """The bucket of a prompt by the power of two of its length, 0 … buckets − 1; two powers a bucket."""
    return min(int(math.log2(max(prompt, 1)) / 2.0), buckets - 1)


@functools.cache
def start_curve(median: float, sigma: float, scale: float) -> Floats:
    """A lognormal curve to start from, shape (POINTS,), read only: median tokens, log deviation, scale tokens."""
    tail = [
        math.erfc(math.log(ratio * scale / median) / sigma / math.sqrt(2.0)) / 2 if ratio > 0 else 1.0 for ratio in GRID
    ]
    curve = np.array(tail)
    curve.flags.writeable = False
    return curve
