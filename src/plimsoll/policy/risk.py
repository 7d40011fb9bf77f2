"""The pooled risk of the future peak: how much memory the running requests will need, as a law rather than a number.

For a request with g tokens so far the law of output lengths gives P(o ≥ g + h | o > g), its chance to be alive h steps
from now, holding s + g + h tokens in whole blocks. Requests are taken as independent, so that their means and variances
add up: errors of single requests average out over the batch, and a reserve is needed for what is left.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..jit import bare, inlined
from ..predict.survival import GRID, POINTS, between, cell
from .law import LEAST, scale
from .view import View

HORIZONS = 12  # horizons of 1, 2, 4 … 2,048 steps
MEAN, VARIANCE, MOST, ALIVE, FORECAST = range(0, 5 * HORIZONS, HORIZONS)
# Where they begin in a forecast: tokens expected, their variance, tokens if nobody finishes, requests expected; its end
Forecast = npt.NDArray[np.float64]


@inlined()
def add(forecast: Forecast, view: View, i: int, held: int) -> None:
    """Add request i, which holds ``held`` tokens (prompt and generated), to ``forecast``, shape (FORECAST,)."""
    r = view.requests[i]
    curve = view.survival[r.kind]
    tokens = scale(r.scale, r.predicted)
    had = held - r.prompt
    j = cell(had / tokens)
    now = between(curve, j, had / tokens)
    ahead = 1
    for y in range(HORIZONS):
        p = 1.0
        if y > 0 and now > LEAST:
            ratio = (had + ahead - 1) / tokens
            while j + 1 < POINTS and GRID[j + 1] <= ratio:
                j += 1
            p = between(curve, j, ratio) / now
        elif y > 0:  # it has outlived its law: the longer it has lived, the longer it will
            p = (had + 1.0) / (had + ahead)
        size = math.floor((held + ahead + view.block - 1) / view.block) * float(view.block)
        forecast[MEAN + y] += p * size
        forecast[VARIANCE + y] += p * (1.0 - p) * size * size
        forecast[MOST + y] += size
        forecast[ALIVE + y] += p
        ahead *= 2


@bare()
def next_finish(forecast: Forecast, count: int) -> float:
    """Steps until the first of the ``count`` requests in the forecast is expected to finish."""
    before, ahead = 0.0, 1
    for y in range(1, HORIZONS):
        ahead *= 2
        finished = count - forecast[ALIVE + y]
        if finished >= 1.0:
            return ahead - ahead / 2 * (finished - 1.0) / (finished - before)
        before = finished
    return float(ahead)


@bare()
def crowded(forecast: Forecast, capacity: float, idle: float, price: float) -> int:
    """The first horizon, in steps, at which memory is too likely to overflow; 0 if there is none.

    At horizon h the memory of a request refused now lies idle for h + ``idle`` steps; ``price`` is what an
    evicted token costs, in the same unit. Loading pays until P(use > capacity) reaches the critical fractile of a
    newsvendor, (h + idle)/(h + idle + price). The sum of many requests is taken as normal, but never above what
    they hold if nobody finishes.
    """
    ahead = 1
    for y in range(HORIZONS):
        if forecast[MOST + y] > capacity:
            worth = ahead + idle
            reserve = tail(worth / (worth + price)) * math.sqrt(max(0.0, forecast[VARIANCE + y]))
            if forecast[MEAN + y] + reserve > capacity:
                return ahead
        ahead *= 2
    return 0


@bare()
def tail(share: float) -> float:
    """z with P(Z > z) = ``share``, Z standard normal; within 4.5e-4 (Abramowitz and Stegun, 26.2.23)."""
    small = min(max(share, 1e-12), 1.0 - 1e-12)
    t = math.sqrt(-2.0 * math.log(min(small, 1.0 - small)))
    z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
    return z if small < 0.5 else -z
