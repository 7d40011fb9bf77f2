"""Learning one request at a time: running medians by cell, and a hashed linear model with a quantile loss.

Lengths are natural logarithms of tokens here. Memory is bounded: CELLS cells and BUCKETS weights.
"""

from __future__ import annotations

import math

from ..jit import njit
from ..trace import Floats
from .features import BUCKETS
from .hazard import bucket_of

GROUPS, PROMPTS = 1024, 8  # groups (hashed) and prompt buckets that have cells of their own
CELLS = 1 + PROMPTS + GROUPS + GROUPS * PROMPTS  # all, by bucket, by group, by both
START = math.log(200.0)  # believed before anything finished
TRUST = 20.0  # requests' worth of the coarser cell in a finer one
CLIP = 1.0  # the largest surprise that moves a running median, log tokens
RATE = 0.02  # step of the linear model before its weights' own slowdown
TEXT = 2.0  # Euclidean norm of a prompt's n-grams in the linear model
SOFT = 0.3  # the quantile loss is rounded off within this of its kink, log tokens
KEEP = 0.999  # of a weight's memory of its own gradients: lower forgets faster, so learns faster again


@njit()
def base(cells: Floats, group: int, prompt: int) -> float:
    """The running median of the request's cell, drawn to those of its group, its bucket and all requests.

    Parameters
    ----------
    cells : shape (2 · CELLS,): counts, then medians.
    """
    believed = START
    for level in range(4):
        place = cell_of(level, group, prompt)
        count = cells[place]
        believed = (count * cells[CELLS + place] + TRUST * believed) / (count + TRUST)
    return float(believed)


@njit()
def base_learn(cells: Floats, group: int, prompt: int, y: float, half_life: float) -> None:
    """Move the medians of the request's four cells towards its log output ``y``."""
    for level in range(4):
        place = cell_of(level, group, prompt)
        count = min(cells[place] + 1.0, half_life)
        surprise = y - cells[CELLS + place] if count > 1.0 else 0.0
        if count == 1.0:
            cells[CELLS + place] = y
        bound = max(CLIP, 4.0 / count)
        cells[CELLS + place] += min(max(surprise, -bound), bound) / count
        cells[place] = count


@njit()
def cell_of(level: int, group: int, prompt: int) -> int:
    """The cell at a level: 0 all requests, 1 by prompt bucket, 2 by group, 3 by both."""
    bucket = bucket_of(prompt, PROMPTS)
    if level == 0:
        return 0
    if level == 1:
        return 1 + bucket
    if level == 2:
        return 1 + PROMPTS + group
    return 1 + PROMPTS + GROUPS + group * PROMPTS + bucket


@njit()
def linear(weights: Floats, grams: Floats) -> float:
    """What the n-grams add to the base.

    Parameters
    ----------
    weights : shape (2 · BUCKETS,): weights, then their sums of squared gradients.
    grams : shape (slots,), hashed n-grams, −1 from the first empty slot on.
    """
    total, count = 0.0, 0
    for x in range(len(grams)):
        if grams[x] < 0.0:
            break
        total += weights[int(grams[x])]
        count += 1
    return TEXT * total / math.sqrt(count) if count > 0 else 0.0


@njit()
def linear_learn(weights: Floats, grams: Floats, error: float, quantile: float) -> None:
    """One step down the quantile loss for ``error`` = log output − predicted; AdaGrad that forgets.

    References
    ----------
    Duchi, Hazan and Singer (2011), Journal of Machine Learning Research 12; Koenker and Bassett (1978).
    """
    count = 0
    while count < len(grams) and grams[count] >= 0.0:
        count += 1
    if count == 0:
        return
    value = TEXT / math.sqrt(count)
    slope = 0.5 * min(max(error / SOFT, -1.0), 1.0) + (quantile - 0.5)
    for x in range(count):
        j = int(grams[x])
        step = slope * value
        weights[BUCKETS + j] = KEEP * weights[BUCKETS + j] + step * step
        weights[j] += RATE * step / math.sqrt(weights[BUCKETS + j] + 1e-3)
