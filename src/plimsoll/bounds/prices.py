"""Prices: a Lagrangian bound on total latency with the large requests packed whole.

The bound. Give every request a reward x_i for finishing and every round a price y_t >= 0 per token held.
For any schedule that finishes each request once and holds at most M,

    cost  =  cost + sum_i x_i (1 - times i finishes) + [sum_t y_t (held_t - M)]  +  (something >= 0),

so the least value of the right-hand side over any larger set of schedules, with the last term dropped, is a
lower bound. The larger set here: every *large* request (prompt <= floor < peak) moves through the states of
`levels`, where any request may finish any number of times at its peak level, no earlier than arrival +
output; every other request chooses its own best finish. The first is a shortest path over rounds and
states, solved exactly by dynamic programming; the second is a scan. A large request's tokens below the
floor are charged at their prices when it finishes. Finishes after the horizon T are relaxed to cost w_i (T
+ 1 - a_i) each, with no memory at all, so every horizon gives a valid bound. With floor = M no request is
large, and the best prices give the time-indexed linear program of arXiv:2502.07115 section 3 (both have the
integrality property). A lower floor gives more, because whole requests cannot stagger as fractions do.

Valid with kills and restarts (only the last attempt is counted) and with pauses (a request finished at
C holds no less in every round than the same request run without a pause and finished at C).

Prices are kept on a dyadic grid, so that every sum below is exact in floating point: a bound is a proof.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..jit import njit
from .alone import add_ramps, cheapest, ramp_sums
from .area import Floats
from .levels import States
from .problem import Ints, Problem

NEVER = 1e18


class Prices(NamedTuple):
    """``reward`` of shape (n,) and ``price`` of shape (T + 1,), per token and round; ``price[0]`` is unused."""

    reward: Floats
    price: Floats


class Value(NamedTuple):
    """A certified lower bound, and how far the relaxed optimum is from doing every request once within M."""

    bound: float
    reward_slope: Floats
    price_slope: Floats


def first_prices(problem: Problem, start: Ints, horizon: int) -> Prices:
    """Prices read off a good schedule: a round costs what it delays, a request is worth what it costs."""
    a, s, o, w, m = problem
    finish = start + o
    alive = np.zeros(horizon + 2)
    np.add.at(alive, np.minimum(finish, horizon), w)
    price = 0.55 / m * np.cumsum(alive[::-1])[::-1][: horizon + 1]
    price[0] = 0.0
    paid, moment = ramp_sums(price)
    worth = (s - start) * (paid[finish + 1] - paid[start + 1]) + moment[finish + 1] - moment[start + 1]
    reward = np.minimum(w * (finish - a) + worth, w * (horizon + 1.0 - a))
    return on_grid(Prices(reward, price), problem)


def on_grid(prices: Prices, problem: Problem) -> Prices:
    """The same prices rounded to a grid on which every sum of the bound is exact in double precision.

    Raises
    ------
    InputError
        If weights and times are so large that there is none that holds whole numbers.
    """
    rounds = len(prices.price)
    size = 16.0 * rounds * (rounds + problem.capacity) * float(prices.price.max(initial=0))
    cost = 16.0 * float(problem.weight.max(initial=1)) * rounds
    size += len(prices.reward) * (float(np.abs(prices.reward).max(initial=0)) + cost) + 1.0
    bits = min(24, 52 - int(np.ceil(np.log2(size))))
    if bits < 0:
        raise InputError("weights and times are too large for exact arithmetic")
    grid = 2.0**bits
    return Prices(np.round(prices.reward * grid) / grid, np.round(np.maximum(prices.price, 0.0) * grid) / grid)


class Climb:
    """Better and better prices by deflected subgradient steps; can be interrupted and resumed at any step.

    With large requests a step is as long as the gap to the best schedule known over the squared slope allows (Polyak).
    Without, every round takes steps of its own size, by the root mean square of its last slopes (Tieleman and Hinton
    2012), which on a trace of 19,366 requests gets in 80 steps where Polyak's gets in 200. Either is shortened, and
    taken up again from the best prices, when the bound stalls.

    Attributes
    ----------
    bound : the best certified lower bound so far.
    prices : where it was found.
    settled : True when steps have become too short to matter.
    """

    def __init__(self, problem: Problem, states: States, floor: int, prices: Prices, bound: float = -NEVER) -> None:
        self.problem, self.states, self.floor, self.prices, self.bound = problem, states, floor, prices, bound
        self.settled = False
        self._reward, self._price = prices
        self._mean_reward, self._mean_price = np.zeros_like(prices.reward), np.zeros_like(prices.price)
        self._square = np.zeros_like(prices.price)
        self._only_prices = len(states.held) == 1
        self._length, self._stall = 0.05 if self._only_prices else 0.1, 0

    def advance(self, upper: float, stop: Callable[[], bool]) -> None:
        """Steps towards ``upper`` until the climb settles, the bound reaches it, or ``stop()``."""
        while not self.settled and self.bound <= upper - 1 and not stop():
            self._step(upper, stop)

    def _step(self, upper: float, stop: Callable[[], bool]) -> None:
        now = on_grid(Prices(self._reward, self._price), self.problem)
        value = evaluate(self.problem, self.states, self.floor, now, stop)
        if value is None:
            return
        self._stall = 0 if value.bound > self.bound + 1e-6 * abs(self.bound) else self._stall + 1
        if value.bound > self.bound:
            self.bound, self.prices = value.bound, now
        if self._stall >= 20:
            self._length, self._stall = 0.7 * self._length, 0
            self._reward, self._price = self.prices
            self._mean_reward, self._mean_price = np.zeros_like(self._reward), np.zeros_like(self._price)
            self.settled = self._length < 1e-5
        elif self._only_prices:
            self._move_rounds(value)
        else:
            self._move_all(value, upper)

    def _move_rounds(self, value: Value) -> None:
        self._mean_price = 0.8 * self._mean_price + 0.2 * value.price_slope
        self._mean_price[(self._price <= 0) & (self._mean_price < 0)] = 0.0
        self._square = 0.95 * self._square + 0.05 * value.price_slope**2
        size = self._length * float(self._price.mean())
        self.settled = size == 0.0 or not self._mean_price.any()
        step = size * self._mean_price / (np.sqrt(self._square) + 0.01 * self.problem.capacity)
        self._price = np.maximum(self._price + step, 0.0)

    def _move_all(self, value: Value, upper: float) -> None:
        self._mean_reward = 0.7 * self._mean_reward + 0.3 * value.reward_slope
        self._mean_price = 0.7 * self._mean_price + 0.3 * value.price_slope
        self._mean_price[(self._price <= 0) & (self._mean_price < 0)] = 0.0
        unit = 1.0 / self.problem.capacity**2  # one token of a round matters that much less than one request
        norm = float(np.sum(self._mean_reward**2) + unit * np.sum(self._mean_price**2))
        if norm < 1e-12:
            self.settled = True
            return
        step = self._length * max(upper - value.bound, 1e-3 * abs(upper)) / norm
        self._reward = self._reward + step * self._mean_reward
        self._price = np.maximum(self._price + step * unit * self._mean_price, 0.0)


def evaluate(
    problem: Problem, states: States, floor: int, prices: Prices, stop: Callable[[], bool] = lambda: False
) -> Value | None:
    """The bound at given prices, and its slope; None if ``stop()`` came first, which is asked for every thousand
    requests."""
    horizon = len(prices.price) - 1
    large = is_large(problem, floor)
    small = np.flatnonzero(~large)
    alone = cheapest(problem, small, prices.price, stop)
    if alone is None:
        return None
    pay = large_pay(problem, states, large, floor, prices)
    choice = np.zeros((2, horizon + 1, len(states.held)), np.int8)
    path = _shortest_path(states, pay.least, prices.price, choice)
    held = np.zeros(horizon + 1)
    done = np.zeros(len(large))
    _walk(states, choice, pay.request, problem, floor, held, done)
    add_ramps(problem, small, alone[1], held)
    late = problem.weight * (horizon + 1.0 - problem.arrival) - prices.reward
    constant = float(np.sum(prices.reward[large] + np.minimum(late[large], 0.0)))
    bound = path + alone[0] + constant - problem.capacity * float(prices.price.sum())
    slope = np.where(large, 1.0 - done - (late < 0), 0.0)
    price_slope = held - problem.capacity
    price_slope[0] = 0.0
    return Value(bound, slope, price_slope)


def is_large(problem: Problem, floor: int) -> npt.NDArray[np.bool_]:
    """Requests that pass through level floor + 1: prompt <= floor < prompt + output. Shape (n,)."""
    return (problem.prompt <= floor) & (problem.prompt + problem.output > floor)


class Pay(NamedTuple):
    """``least[p, t]``: cheapest finish at peak p in round t; ``request[p, t]``: whose it is."""

    least: Floats
    request: npt.NDArray[np.int32]


def large_pay(problem: Problem, states: States, large: npt.NDArray[np.bool_], floor: int, prices: Prices) -> Pay:
    """What a finish at each peak and round costs: latency, less the reward, plus the tokens below the floor."""
    shape = (int(states.level.max(initial=0)) + 1, len(prices.price))
    pay = Pay(np.full(shape, NEVER), np.zeros(shape, np.int32))
    paid, moment = ramp_sums(prices.price)
    _fill_pay(problem, np.flatnonzero(large), floor, prices.reward, paid, moment, pay)
    return pay


@njit()
def _fill_pay(problem: Problem, rows: Ints, floor: int, reward: Floats, paid: Floats, moment: Floats, pay: Pay) -> None:
    a, s, o, w, _ = problem
    for j in rows:
        peak = s[j] + o[j]
        for finish in range(a[j] + o[j], pay.least.shape[1]):
            k = finish - o[j]
            below = k + 1 + floor - s[j]  # the first round above the floor
            value = w[j] * (finish - a[j]) - reward[j]
            value += (s[j] - k) * (paid[below] - paid[k + 1]) + moment[below] - moment[k + 1]
            if value < pay.least[peak, finish]:
                pay.least[peak, finish] = value
                pay.request[peak, finish] = j


@njit()
def _shortest_path(states: States, least: Floats, price: Floats, choice: npt.NDArray[np.int8]) -> float:
    """Least cost of moving through the states over all rounds; ``choice`` gets the moves of every state.

    In round t: enter any number of requests, pay for the tokens held, let any requests leave, rise.
    ``choice[0]`` is 1 to enter; ``choice[1]`` is which distinct level leaves, or -1 to rise.
    """
    held, rise, enter, first, level, without, _ = states
    after, left = np.zeros(len(held)), np.zeros(len(held))
    for t in range(len(price) - 1, 0, -1):
        for x in range(len(held)):
            best, move = NEVER, -1
            if rise[x] >= 0:
                best = after[rise[x]]
            for k in range(first[x], first[x + 1]):
                value = least[level[k], t] + left[without[k]]
                if value < best:
                    best, move = value, k - first[x]
            left[x], choice[1, t, x] = best, move
        for x in range(len(held) - 1, -1, -1):
            after[x], choice[0, t, x] = left[x] + price[t] * held[x], 0
            if enter[x] >= 0 and after[enter[x]] < after[x]:
                after[x], choice[0, t, x] = after[enter[x]], 1
    return float(after[0])


@njit()
def _walk(
    states: States,
    choice: npt.NDArray[np.int8],
    request: npt.NDArray[np.int32],
    problem: Problem,
    floor: int,
    held: Floats,
    done: Floats,
) -> None:
    """Follow the shortest path: tokens held by round, and how often each request finishes."""
    x = 0
    for t in range(1, choice.shape[1]):
        while choice[0, t, x] == 1:
            x = states.enter[x]
        held[t] += states.held[x]
        while choice[1, t, x] >= 0:
            k = states.first[x] + choice[1, t, x]
            j = request[states.level[k], t]
            done[j] += 1
            for u in range(1, floor - problem.prompt[j] + 1):
                held[t - problem.output[j] + u] += problem.prompt[j] + u
            x = states.without[k]
        x = states.rise[x]
