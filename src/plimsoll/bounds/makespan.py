"""The least makespan: the round in which the last request finishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import njit
from .area import volume
from .problem import Ints, Problem, earliest

MOVES, TOKENS = 200, 5_000_000  # local moves, and tokens placed by them, between two looks at the clock


def lower_bound(problem: Problem) -> int:
    """The largest of three certified lower bounds on the makespan, rounds.

    Proofs. *Length*: request i finishes no earlier than a_i + o_i. *Area* (arXiv:2607.09248, Lemma 16, with
    arrivals): the volume of all requests that arrive at r or later is spent after r, at most M a round.
    *Chain*: let j finish next after i. In round C_i request j holds no more than M - p_i (p = prompt +
    output), so it has made at most max(0, M - p_i - s_j) tokens and C_j - C_i >= o_j - max(0, M - p_i -
    s_j) = d_ij >= 0. Adding the gaps along the order of finishes, the last is no earlier than the least
    over first requests f of a_f + o_f + the sum over j != f of min_i d_ij, where p_i is least. All three hold
    with kills, restarts and pauses.
    """
    a, s, o, _, m = problem
    if not len(a):
        return 0
    length = int((a + o).max())
    order = np.argsort(-a, kind="stable")
    after = np.cumsum(volume(s, o)[order])
    spent = int((a[order] - (-after // m)).max())
    peak = s + o
    smallest, second = np.partition(np.append(peak, m), 1)[:2]  # the second for the smallest itself
    other = np.where(peak == smallest, second, smallest)
    least = np.maximum(0, o - np.maximum(0, m - other - s)) if len(a) > 1 else np.zeros(1, np.int64)
    chain = int((a + o - least).min() + least.sum())
    return max(length, spent, chain)


def search(problem: Problem, seed: int, stop: Callable[[], bool]) -> Ints:
    """Starts, shape (n,), of the shortest schedule found before ``stop()``: longest first, then swaps.

    None of these above five million tokens, where one swap takes seconds and changes little.
    """
    _, s, o, _, _ = problem
    random = np.random.default_rng(seed)
    order = np.argsort(-volume(s, o), kind="stable")
    best = np.zeros(len(o), np.int64)
    held = np.zeros(int(problem.arrival.max() + o.sum() + o.max()) + 2, np.int64)
    last = _pack(problem, order, held, best)
    moves = min(MOVES, TOKENS // int(o.sum())) if len(o) > 1 else 0
    while moves and not stop():
        last = _swap(problem, order, held, best, last, random.random((moves, 2)))
    return best


@njit()
def _pack(problem: Problem, order: Ints, held: Ints, start: Ints) -> int:
    """Place requests in order, each at the earliest epoch at which it fits; returns the makespan."""
    a, s, o, _, m = problem
    held[:] = 0
    last = 0
    for i in order:
        start[i] = earliest(held, s[i], o[i], m, a[i])
        for u in range(1, o[i] + 1):
            held[start[i] + u] += s[i] + u
        last = max(last, start[i] + o[i])
    return int(last)


@njit()
def _swap(problem: Problem, order: Ints, held: Ints, best: Ints, last: int, draws: Any) -> int:
    """Swap two requests of the order, keep what is no longer; one swap per row of ``draws``."""
    trial = best.copy()
    for draw in draws:
        i, j = int(draw[0] * len(order)), int(draw[1] * len(order))
        order[i], order[j] = order[j], order[i]
        length = _pack(problem, order, held, trial)
        if length <= last:
            last = length
            best[:] = trial
        else:
            order[i], order[j] = order[j], order[i]
    return last
