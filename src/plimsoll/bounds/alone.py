"""Requests that choose alone: the cheapest finish of each at given prices of rounds, and what they then hold.

A request of prompt s and output o that finishes in round f costs w (f - a), and y_r (s + r - (f - o)) in each of its
rounds r = f - o + 1, ..., f. The scan over f leaves out what cannot be cheapest. *Proof.* Take finishes f to g,
g - f < o. Whichever it is, the request runs in all of the rounds g - o + 1, ..., f, in r at s + r - (g - o) tokens
or more, and prices are never negative; so none of them costs less than

    w (f - a) + sum_{r = g - o + 1}^{f} y_r (s + r - (g - o)),

two look-ups in the sums of `ramp_sums`, and the cost itself when f = g.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..jit import njit
from .area import Floats
from .problem import Ints, Problem

ROWS = 1000  # between two looks at the clock
PROBES = 4  # looks at every round of so many in an output, to begin with


def ramp_sums(price: Floats) -> tuple[Floats, Floats]:
    """Sums of price_t and of t price_t over t < x, shape (T + 2,), so that ramps are priced in O(1)."""
    rounds = np.arange(len(price))
    return np.concatenate([[0.0], np.cumsum(price)]), np.concatenate([[0.0], np.cumsum(price * rounds)])


def cheapest(
    problem: Problem, rows: Ints, price: Floats, stop: Callable[[], bool] = lambda: False
) -> tuple[float, Ints] | None:
    """The summed costs of the cheapest finishes of requests, and the finishes; None if ``stop()`` came first.

    Parameters
    ----------
    rows : shape (k,), which requests.
    price : shape (T + 1,), at least 0, on the grid of ``prices.on_grid``. Finishes after T cost w (T + 1 - a).

    Returns
    -------
    The sum, rounds, exact, and the finish of each, shape (k,), rounds; T + 1 for those that finish after T.
    """
    paid, moment = ramp_sums(price)
    finish = np.empty(len(rows), np.int64)
    total = 0.0
    for first in range(0, len(rows), ROWS):
        if first and stop():
            return None
        part = slice(first, first + ROWS)
        total += _cheapest(problem, rows[part], paid, moment, finish[part])
    return total, finish


def add_ramps(problem: Problem, rows: Ints, finish: Ints, held: Floats) -> None:
    """Add to ``held``, shape (T + 1,), what requests hold that finish by T; what ends later holds nothing."""
    inside = finish < len(held)
    s, o, f = problem.prompt[rows][inside], problem.output[rows][inside], finish[inside]
    count, base = np.zeros(len(held) + 1), np.zeros(len(held) + 1)
    begin, offset = f - o, (s - f + o).astype(np.float64)
    np.add.at(count, begin + 1, 1.0)
    np.add.at(count, f + 1, -1.0)
    np.add.at(base, begin + 1, offset)
    np.add.at(base, f + 1, -offset)
    held += (np.cumsum(base) + np.arange(len(base)) * np.cumsum(count))[:-1]


@njit()
def _cheapest(problem: Problem, rows: Ints, paid: Floats, moment: Floats, finish: Ints) -> float:
    a, s, o, w, _ = problem
    last = len(paid) - 2
    total = 0.0
    for q in range(len(rows)):
        j = rows[q]
        best, when = w[j] * (last + 1.0 - a[j]), last + 1
        step, widest = max(1, o[j] // PROBES), max(1, o[j] // 2)
        for f in range(a[j] + o[j], last + 1, step):  # a first guess, so that the scan can leave out much
            late = float(w[j] * (f - a[j]))
            if late >= best:
                break
            k = f - o[j]
            value = late + (s[j] - k) * (paid[f + 1] - paid[k + 1]) + moment[f + 1] - moment[k + 1]
            if value < best:
                best, when = value, f
        f, wide = a[j] + o[j], 1
        while f <= last:
            late = float(w[j] * (f - a[j]))
            if late >= best:
                break
            k = min(f + wide - 1, last) - o[j]
            value = late + (s[j] - k) * (paid[f + 1] - paid[k + 1]) + moment[f + 1] - moment[k + 1]
            if value >= best:
                f += wide
                wide = min(2 * wide, widest)
            elif wide > 1:
                wide //= 2
            else:
                best, when = value, f
                f += 1
        total += best
        finish[q] = when
    return float(total)
