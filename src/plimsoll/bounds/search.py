"""The upper end: good schedules by simulated annealing over the order in which requests are placed.

An order becomes a schedule by placing its requests one by one at the earliest epoch at which they fit
beside those already placed. Swaps, insertions and the removal of a short run of requests change the order;
only what comes after the first change is placed again. Every schedule that is returned is feasible by
construction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import njit
from .problem import Ints, Problem, cost, earliest

CELLS = 40_000_000  # of the table of loads after every placement, which makes a change cheap
BLOCK = 50_000_000  # moves times tokens between two looks at the clock
COOLEST = 0.002  # the last temperature of a restart over its first


def first_order(problem: Problem) -> Ints:
    """Requests by volume per weight, with later arrivals later: the order of svf, shape (n,)."""
    a, s, o, w, m = problem
    key = (s * o + o * (o + 1) / 2) / (w * m) + 0.5 * a
    return np.argsort(key, kind="stable")


def quick(problem: Problem) -> bool:
    """True if the table of loads of `anneal` fits in memory."""
    return (len(problem.weight) + 2) * _span(problem) <= CELLS


def place(problem: Problem, order: Ints) -> Ints:
    """Starts, shape (n,), of the requests placed in ``order``, each at the earliest epoch at which it fits."""
    start = np.zeros(len(order), np.int64)
    _place(problem, order, np.zeros(_span(problem), np.int32), start)
    return start


def anneal(problem: Problem, start: Ints, seed: int, stop: Callable[[], bool]) -> Ints:
    """The best schedule found from ``start`` (a feasible one) before ``stop()``; shape (n,).

    Restarts from the best schedule and from fresh orders in turn, each restart longer than the last.
    """
    n = len(start)
    best, least = start.copy(), cost(problem, start)
    if n < 2:
        return best
    random = np.random.default_rng(seed)
    loads = np.zeros((n + 1, _span(problem)), np.int32)
    block = max(1, BLOCK // int(problem.output.sum()))
    for restart in range(1_000_000):
        if stop():
            break
        order = np.argsort(best, kind="stable") if restart % 2 else first_order(problem)
        moves = min(200_000, 2000 * (1 + restart))
        draws, heat = random.random((moves, 4)), least / n / 20
        found = np.zeros(n, np.int64)
        value, _ = _replace(problem, order, loads, np.zeros_like(loads[0]), found, 0, np.inf)
        _keep(problem, order, loads, found, 0)
        for first in range(0, moves, block):
            if first and stop():
                break
            heats = heat * COOLEST ** (np.arange(first, min(first + block, moves)) / moves)
            value = _anneal(problem, order, loads, found, value, heats, draws[first : first + block], best)
        least = cost(problem, best)
    return best


def _span(problem: Problem) -> int:
    """Rounds within which any order is placed: no epoch after the last arrival is idle."""
    return int(problem.arrival.max() + problem.output.sum() + problem.output.max() + 2)


@njit()
def _place(problem: Problem, order: Ints, held: Any, start: Ints) -> None:
    a, s, o, _, m = problem
    for i in order:
        start[i] = earliest(held, s[i], o[i], m, a[i])
        for u in range(1, o[i] + 1):
            held[start[i] + u] += s[i] + u


@njit()
def _anneal(
    problem: Problem, order: Ints, loads: Any, start: Ints, value: int, heats: Any, draws: Any, best: Ints
) -> int:
    """Annealing from ``order``, which places to ``start`` at cost ``value``; returns the cost of the last order.

    One move per temperature in ``heats`` and row of ``draws``, shape (moves, 4), uniform in [0, 1). ``loads[k]`` is
    what is held by round once the first k requests are placed. What costs less than ``best`` is written there.
    """
    a, _, o, w, _ = problem
    trial, changed, held = np.zeros_like(start), order.copy(), np.zeros_like(loads[0])
    least = np.sum(w * (best + o - a))
    for move in range(len(draws)):
        changed[:] = order
        k = _change(changed, draws[move])
        trial[:] = start
        limit = value - heats[move] * np.log(1.0 - draws[move, 3])
        total, whole = _replace(problem, changed, loads, held, trial, k, limit)
        if whole:
            value = total
            order[:] = changed
            start[:] = trial
            _keep(problem, order, loads, start, k)
            if value < least:
                best[:], least = start, value
    return int(value)


@njit()
def _change(order: Ints, draw: Any) -> int:
    """Swap two requests, or move one elsewhere, often near; returns the first position changed."""
    n = len(order)
    i = int(draw[0] * n)
    near = min(n - 1, max(0, i + int(draw[1] * 34) - 8))
    j = near if draw[1] < 0.5 else int((2 * draw[1] - 1) * n)
    if draw[2] < 0.5:
        order[i], order[j] = order[j], order[i]
        return min(i, j)
    moved = order[i]
    if i < j:
        order[i:j] = order[i + 1 : j + 1].copy()
    else:
        order[j + 1 : i + 1] = order[j:i].copy()
    order[j] = moved
    return min(i, j)


@njit()
def _replace(
    problem: Problem, order: Ints, loads: Any, held: Any, start: Ints, k: int, limit: float
) -> tuple[int, bool]:
    """Place again from position k on; stops, and says so, once the cost exceeds ``limit``."""
    a, s, o, w, m = problem
    total = 0
    for q in range(k):
        total += w[order[q]] * (start[order[q]] + o[order[q]] - a[order[q]])
    held[:] = loads[k]
    for q in range(k, len(order)):
        i = order[q]
        start[i] = earliest(held, s[i], o[i], m, a[i])
        for u in range(1, o[i] + 1):
            held[start[i] + u] += s[i] + u
        total += w[i] * (start[i] + o[i] - a[i])
        if total > limit:
            return int(total), False
    return int(total), True


@njit()
def _keep(problem: Problem, order: Ints, loads: Any, start: Ints, k: int) -> None:
    """Renew the loads after each placement from position k on."""
    for q in range(k, len(order)):
        i = order[q]
        loads[q + 1] = loads[q]
        for u in range(1, problem.output[i] + 1):
            loads[q + 1, start[i] + u] += problem.prompt[i] + u
