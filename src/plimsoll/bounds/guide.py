"""The tables from which the proof reads its bound: the Lagrangian of `prices` from every round on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..jit import njit
from .alone import ramp_sums
from .levels import States
from .prices import NEVER, Floats, Prices, is_large, large_pay
from .problem import Ints, Problem


class Guide(NamedTuple):
    """What the bound of a node is read from. T is the horizon, k the number of states.

    Attributes
    ----------
    stay, enter : shape (T + 2, k), cost from round t on, without and with further entries in round t.
    states, least, price : the states, what a finish at each peak and round pays at least, and the prices.
    upto : shape (M + 1,), how many states hold at most so many tokens (states are in ascending order).
    large : shape (n,), requests that the states cover.
    reward : shape (n,), least cost left once a request's reward is spent; 0 for requests that are not large.
    alone : shape (n, T + 2), least priced cost of a request that is not large, started at t or later.
    rest : shape (T + 2,), price of one token in every round after t.
    paid, moment : prefix sums of prices, as in `prices`.
    twin : shape (n,), an equal request that must start first, or -1.
    floor : highest level that the states leave out.
    """

    stay: Floats
    enter: Floats
    states: States
    least: Floats
    price: Floats
    upto: Ints
    large: npt.NDArray[np.bool_]
    reward: Floats
    alone: Floats
    rest: Floats
    paid: Floats
    moment: Floats
    twin: Ints
    floor: int


def guide(problem: Problem, states: States, floor: int, prices: Prices) -> Guide:
    """Tables of the Lagrangian bound from every round on, at given prices."""
    horizon = len(prices.price) - 1
    large = is_large(problem, floor)
    pay = large_pay(problem, states, large, floor, prices)
    stay, enter = np.zeros((horizon + 2, len(states.held))), np.zeros((horizon + 2, len(states.held)))
    _tables(states, pay.least, prices.price, stay, enter)
    paid, moment = ramp_sums(prices.price)
    late = problem.weight * (horizon + 1.0 - problem.arrival)
    reward = np.where(large, prices.reward + np.minimum(late - prices.reward, 0.0), 0.0)
    rest = np.append(paid[-1] - paid[1:], 0.0)
    alone = np.zeros((len(large), horizon + 2))
    _fill_alone(problem, np.flatnonzero(~large), paid, moment, alone)
    upto = np.searchsorted(states.held, np.arange(problem.capacity + 1), side="right")
    price, twin = prices.price, twins(problem)
    return Guide(stay, enter, states, pay.least, price, upto, large, reward, alone, rest, paid, moment, twin, floor)


def late_bound(problem: Problem, tables: Guide, prices: Prices, bound: float) -> float:
    """A lower bound on every schedule in which some request finishes after the horizon T of the prices.

    Proof. In `prices` request i adds at most w_i (T + 1 - a_i) to ``bound`` however late it finishes, and
    finishing after T costs it that much at least. Forcing it adds the difference to what it adds now: its
    reward (if large), or its own cheapest finish.
    """
    late = problem.weight * (len(prices.price) - problem.arrival)
    now = np.where(tables.large, tables.reward, tables.alone[:, 0])
    return bound + float((late - now).min(initial=NEVER))


def twins(problem: Problem) -> Ints:
    """For each request the last equal one before it, or -1; shape (n,)."""
    last: dict[tuple[int, ...], int] = {}
    twin = np.full(len(problem.arrival), -1)
    for i, row in enumerate(zip(*(column.tolist() for column in problem[:4]), strict=True)):
        twin[i] = last.get(row, -1)
        last[row] = i
    return twin


@njit()
def _tables(states: States, least: Floats, price: Floats, stay: Floats, enter: Floats) -> None:
    """The dynamic program of `prices`, with the value of every state in every round kept."""
    held, rise, more, first, level, without, _ = states
    left = np.zeros(len(held))
    for t in range(len(price) - 1, 0, -1):
        for x in range(len(held)):
            best = NEVER
            if rise[x] >= 0:
                best = enter[t + 1, rise[x]]
            for k in range(first[x], first[x + 1]):
                best = min(best, least[level[k], t] + left[without[k]])
            left[x] = best
        for x in range(len(held) - 1, -1, -1):
            stay[t, x] = enter[t, x] = left[x] + price[t] * held[x]
            if more[x] >= 0:
                enter[t, x] = min(enter[t, x], enter[t, more[x]])


@njit()
def _fill_alone(problem: Problem, rows: Ints, paid: Floats, moment: Floats, alone: Floats) -> None:
    a, s, o, w, _ = problem
    horizon = alone.shape[1] - 2
    for j in rows:
        alone[j, :] = w[j] * (horizon + 1.0 - a[j])
        for k in range(horizon - o[j], a[j] - 1, -1):
            end = k + o[j] + 1
            value = w[j] * (end - 1 - a[j]) + (s[j] - k) * (paid[end] - paid[k + 1]) + moment[end] - moment[k + 1]
            alone[j, k] = min(alone[j, k + 1], value)
        alone[j, : a[j]] = alone[j, a[j]]
