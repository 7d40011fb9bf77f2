"""The upper end of long traces: take a few neighbours out of a schedule and put them back in another order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import njit
from .problem import Ints, Problem, earliest

BATCH = 4000  # moves between two looks at the clock
MOST = 8  # requests taken out at once


def repair(problem: Problem, start: Ints, seed: int, stop: Callable[[], bool]) -> Ints:
    """The best schedule found from ``start`` (a feasible one) before ``stop()``; shape (n,).

    Each move takes out a few requests that start near each other, one of which waits, and puts each back, in random
    order, at the earliest epoch at which it fits; a move that raises the cost is undone.
    """
    start = start.copy()
    if len(start) < 2:
        return start
    random = np.random.default_rng(seed)
    latest = int(max(problem.arrival.max(), start.max()) + problem.output.sum() + problem.output.max())
    held = np.zeros(latest + 2, np.int32)
    _fill(problem, start, held)
    while not stop():
        order = np.argsort(start, kind="stable")
        late = np.flatnonzero(start[order] > problem.arrival[order])
        if not len(late):
            break
        _mend(problem, start, order, late, held, random.random((BATCH, MOST + 3)))
    return start


@njit()
def _fill(problem: Problem, start: Ints, held: Any) -> None:
    for i in range(len(start)):
        _add(problem, i, start[i], held, 1)


@njit()
def _add(problem: Problem, i: int, start: int, held: Any, sign: int) -> None:
    for u in range(1, problem.output[i] + 1):
        held[start + u] += sign * (problem.prompt[i] + u)


@njit()
def _mend(problem: Problem, start: Ints, order: Ints, late: Ints, held: Any, draws: Any) -> None:
    """One move per row of ``draws``, uniform in [0, 1).

    ``order`` is about that of the starts, ``late`` its places where somebody waits: one of them is in every move.
    """
    a, s, o, w, m = problem
    n = len(start)
    taken, before = np.zeros(MOST, np.int64), np.zeros(MOST, np.int64)
    for draw in draws:
        count = min(n, 1 + int(draw[0] * MOST))
        first = late[int(draw[1] * len(late))] - int(draw[MOST + 2] * count)
        first = max(0, min(first, n - count))
        change = 0
        for k in range(count):
            taken[k] = order[first + k]
            before[k] = start[taken[k]]
            _add(problem, taken[k], before[k], held, -1)
        turn = np.argsort(draw[2 : 2 + count])
        for k in turn:
            i = taken[k]
            start[i] = earliest(held, s[i], o[i], m, a[i])
            _add(problem, i, start[i], held, 1)
            change += w[i] * (start[i] - before[k])
        if change > 0:
            for k in range(count):
                _add(problem, taken[k], start[taken[k]], held, -1)
            for k in range(count):
                start[taken[k]] = before[k]
                _add(problem, taken[k], before[k], held, 1)
