"""Proof: every schedule that could still be better, round by round, or the most promising of them.

A node is what a schedule has done up to an epoch: which requests wait, which run since when, and what the
finished ones cost. The nodes of one epoch are a layer. A node leads to the next layer by starting any set
of waiting requests that fits in every later round. Four rules keep layers small, none of which loses every
optimal schedule:

- *Bound.* The finished cost, plus the Lagrangian bound of `prices` for the rounds still to come: the value
of the
  state that the running requests form (a table lookup), plus the rewards of all that is not finished, less
  the price of the memory that is left. A node that cannot beat the best schedule by a whole round of weight
  is dropped.
- *Equal futures.* Of two nodes with the same waiting and the same running requests (same starts), the cheaper
  is kept.
- *Tight starts.* If a request that finishes could have started one round earlier beside everything else
that ran,
  the schedule is not optimal, since weights are positive; the node is dropped.
- *Equal requests* (same arrival, prompt, output and weight) start in the order of their rows.

When no node is left, the best schedule is optimal. Keeping only the `width` most promising nodes of each
layer (a beam) gives good schedules quickly and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..jit import njit
from .levels import States
from .prices import NEVER, Floats, Prices, is_large, large_pay, ramp_sums
from .problem import Ints, Problem

MOST_REQUESTS = 64
MOST_RUNNING = 15


class Guide(NamedTuple):
    """What the bound of a node is read from. T is the horizon, k the number of states.

    Attributes
    ----------
    stay, enter : shape (T + 2, k), cost from round t on, without and with further entries in round t.
    add : shape (k, top + 1), the state with a level added.
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
    add: npt.NDArray[np.int32]
    large: npt.NDArray[np.bool_]
    reward: Floats
    alone: Floats
    rest: Floats
    paid: Floats
    moment: Floats
    twin: Ints
    floor: int


class Layer(NamedTuple):
    """Nodes of one epoch, one row each.

    ``waiting`` is a bit set; ``start`` holds every request's start (-1: none); ``running[:, :size]`` are
    the running requests in order; ``tight`` has one bit per running request, set once it cannot start a
    round earlier; ``cost`` is what the finished ones cost; ``before`` the tokens held in the last round;
    ``bound`` the node's bound.
    """

    waiting: npt.NDArray[np.uint64]
    start: npt.NDArray[np.int16]
    running: npt.NDArray[np.int8]
    size: npt.NDArray[np.int8]
    tight: npt.NDArray[np.uint16]
    cost: Ints
    before: npt.NDArray[np.int32]
    bound: Floats


class Outcome(NamedTuple):
    """``start`` of the best schedule found (None: none better), nodes expanded, and whether none was left out."""

    start: Ints | None
    nodes: int
    whole: bool


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
    return Guide(
        stay, enter, states.add, large, reward, alone, rest, paid, moment, _twins(problem), floor
    )


def late_bound(problem: Problem, tables: Guide, prices: Prices, bound: float) -> float:
    """A lower bound on every schedule in which some request finishes after the horizon T of the prices.

    Proof. In `prices` request i adds at most w_i (T + 1 - a_i) to ``bound`` however late it finishes, and
    finishing after T costs it that much at least. Forcing it adds the difference to what it adds now: its
    reward (if large), or its own cheapest finish.
    """
    late = problem.weight * (len(prices.price) - problem.arrival)
    now = np.where(tables.large, tables.reward, tables.alone[:, 0])
    return bound + float((late - now).min(initial=NEVER))


def _twins(problem: Problem) -> Ints:
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


def new_layer(rows: int, requests: int) -> Layer:
    """Room for that many nodes."""
    return Layer(
        np.zeros(rows, np.uint64),
        np.full((rows, requests), -1, np.int16),
        np.zeros((rows, MOST_RUNNING), np.int8),
        np.zeros(rows, np.int8),
        np.zeros(rows, np.uint16),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int32),
        np.zeros(rows),
    )


def explore(
    problem: Problem, tables: Guide, upper: int, room: int, width: int, stop: Callable[[], bool]
) -> Outcome:
    """Look for a schedule that costs less than ``upper``.

    Parameters
    ----------
    room : most nodes kept in a layer; beyond it, or beyond 64 requests, the outcome is not whole.
    width : nodes expanded in a layer, the most promising first; ``room`` to prove.
    stop : asked often; ends the search.

    Returns
    -------
    Outcome
        Whole if every better schedule that ends by the horizon was looked at.
    """
    n = len(problem.arrival)
    here, there, stack = new_layer(room, n), new_layer(room, n), new_layer(MOST_REQUESTS * MOST_RUNNING, n)
    slots = np.full(1 << max(10, (2 * room - 1).bit_length()), -1, np.int32)
    pointer = np.zeros(len(stack.size), np.int64)
    here.waiting[0] = np.uint64((1 << n) - 1)
    found = np.full(n, -1, np.int64)
    state = np.array([upper, 0, 1, 0], np.int64)  # best cost, nodes expanded, whole, nodes in the next layer
    count = 1
    for t in range(tables.stay.shape[0] - 2):
        order = np.argsort(here.bound[:count], kind="stable")
        if count > width:
            state[2], order = 0, order[:width]
        slots[:], state[3] = -1, 0
        for block in range(0, len(order), 512):
            if stop():
                return Outcome(found if state[0] < upper else None, int(state[1]), False)
            _expand(problem, tables, t, here, order[block : block + 512], there, stack, pointer, slots, found, state)
        here, there, count = there, here, int(state[3])
        if count == 0 or (width >= room and not state[2]):
            break
    return Outcome(found if state[0] < upper else None, int(state[1]), bool(state[2]))


@njit()
def _expand(
    problem: Problem,
    tables: Guide,
    t: int,
    here: Layer,
    rows: Ints,
    there: Layer,
    stack: Layer,
    pointer: Ints,
    slots: npt.NDArray[np.int32],
    found: Ints,
    state: Ints,
) -> None:
    """Start every set of requests that fits at epoch t from the given nodes, and run round t + 1."""
    for row in rows:
        if here.bound[row] > state[0] - 1:
            continue
        _copy(here, row, stack, 0)
        pointer[0] = 0
        top = 1
        while top > 0:
            top -= 1
            state[1] += 1
            known, x, held = _known(problem, tables, t, stack, top)
            if known + tables.enter[t + 1, x] > state[0] - 1:
                continue
            _copy(stack, top, there, len(there.size) - 1)  # the last row of the next layer is the workbench
            bench = len(there.size) - 1
            first = pointer[top]
            for j in range(first, len(problem.arrival)):
                if _may_start(problem, tables, t, there, bench, j):
                    _copy(there, bench, stack, top)
                    pointer[top] = j + 1
                    _start(problem, t, stack, top, j)
                    top += 1
            if known + tables.stay[t + 1, x] <= state[0] - 1:
                _finish_round(problem, tables, t, there, bench, held, slots, found, state)


@njit()
def _copy(source: Layer, i: int, target: Layer, k: int) -> None:
    target.waiting[k] = source.waiting[i]
    target.start[k] = source.start[i]
    target.running[k] = source.running[i]
    target.size[k] = source.size[i]
    target.tight[k] = source.tight[i]
    target.cost[k] = source.cost[i]
    target.before[k] = source.before[i]
    target.bound[k] = source.bound[i]


@njit()
def _known(problem: Problem, tables: Guide, t: int, layer: Layer, i: int) -> tuple[float, int, int]:
    """The bound of a node at epoch t but for its state's value; the state; the tokens held in round t + 1.

    Memory of round t and before is spent: a running request's tokens below the floor in those rounds, which
    its finish will be charged for, are taken off.
    """
    a, s, o, w, m = problem
    value, x, held = layer.cost[i] - m * tables.rest[t], 0, 0
    for j in range(len(a)):
        if layer.waiting[i] >> np.uint64(j) & np.uint64(1):
            value += tables.reward[j] if tables.large[j] else tables.alone[j, t]
    for r in range(layer.size[i]):
        j = layer.running[i, r]
        k = layer.start[i, j]
        level = s[j] + t + 1 - k
        held += level
        if tables.large[j]:
            value += tables.reward[j]
            if level > tables.floor:
                x = tables.add[x, level]
            past = min(t, k + tables.floor - s[j]) + 1
            value -= (s[j] - k) * (tables.paid[past] - tables.paid[k + 1]) + tables.moment[past] - tables.moment[k + 1]
        else:
            end = k + o[j] + 1
            value += w[j] * (end - 1 - a[j])
            value += (s[j] - k) * (tables.paid[end] - tables.paid[t + 1]) + tables.moment[end] - tables.moment[t + 1]
    return value, x, held


@njit()
def _may_start(problem: Problem, tables: Guide, t: int, layer: Layer, i: int, j: int) -> bool:
    """True if request j waits, is not behind a twin, and fits in every round that it would run."""
    a, s, o, _, m = problem
    waits = layer.waiting[i] >> np.uint64(j) & np.uint64(1)
    if not waits or a[j] > t or t + o[j] > tables.stay.shape[0] - 2 or layer.size[i] >= MOST_RUNNING:
        return False
    if tables.twin[j] >= 0 and layer.waiting[i] >> np.uint64(tables.twin[j]) & np.uint64(1):
        return False
    for last in range(-1, layer.size[i]):  # memory peaks only where a request finishes
        end = t + o[j]
        if last >= 0:
            end = layer.start[i, layer.running[i, last]] + o[layer.running[i, last]]
        held = s[j] + end - t if end <= t + o[j] else 0
        for r in range(layer.size[i]):
            q = layer.running[i, r]
            if layer.start[i, q] + o[q] >= end:
                held += s[q] + end - layer.start[i, q]
        if held > m:
            return False
    return True


@njit()
def _start(problem: Problem, t: int, layer: Layer, i: int, j: int) -> None:
    """Start request j in a node, keeping its running requests in order."""
    place = layer.size[i]
    while place > 0 and layer.running[i, place - 1] > j:
        layer.running[i, place] = layer.running[i, place - 1]
        place -= 1
    layer.running[i, place] = j
    layer.size[i] += 1
    layer.start[i, j] = t
    layer.waiting[i] &= ~(np.uint64(1) << np.uint64(j))
    bits = np.uint64(layer.tight[i])
    below = bits & ((np.uint64(1) << np.uint64(place)) - np.uint64(1))
    above = (bits >> np.uint64(place)) << np.uint64(place + 1)
    stuck = problem.arrival[j] == t or layer.before[i] + problem.prompt[j] + 1 > problem.capacity
    layer.tight[i] = below | above | (np.uint64(stuck) << np.uint64(place))


@njit()
def _finish_round(
    problem: Problem,
    tables: Guide,
    t: int,
    layer: Layer,
    i: int,
    held: int,
    slots: npt.NDArray[np.int32],
    found: Ints,
    state: Ints,
) -> None:
    """Run round t + 1 of node i, in place, and keep it in the layer unless a rule drops it."""
    a, _, o, w, m = problem
    kept, tight = 0, np.uint64(0)
    for r in range(layer.size[i]):
        j = layer.running[i, r]
        stuck = np.uint64(layer.tight[i]) >> np.uint64(r) & np.uint64(1)
        if layer.start[i, j] + o[j] == t + 1:
            if not stuck:
                return
            layer.cost[i] += w[j] * (t + 1 - a[j])
        else:
            stuck |= np.uint64(held == m)
            layer.running[i, kept] = j
            tight |= stuck << np.uint64(kept)
            kept += 1
    idle = layer.size[i] == 0
    layer.size[i], layer.tight[i], layer.before[i] = kept, tight, held
    if kept == 0 and layer.waiting[i] == 0:
        if layer.cost[i] < state[0]:
            state[0] = layer.cost[i]
            found[:] = layer.start[i]
        return
    if idle:
        more = False
        for j in range(len(a)):
            more |= a[j] > t and layer.waiting[i] >> np.uint64(j) & np.uint64(1) > 0
        if not more:  # all that follows could have come a round earlier
            return
    known, x, _ = _known(problem, tables, t + 1, layer, i)
    layer.bound[i] = known + tables.enter[t + 2, x]
    if layer.bound[i] <= state[0] - 1:
        _insert(layer, i, slots, state)


@njit()
def _insert(layer: Layer, i: int, slots: npt.NDArray[np.int32], state: Ints) -> None:
    """Add node i to its layer, or let it replace a dearer one with the same future."""
    size = layer.size[i]
    mix = layer.waiting[i]
    for r in range(size):
        j = layer.running[i, r]
        mix = (mix ^ np.uint64(1 + j * 65537 + layer.start[i, j])) * np.uint64(0x9E3779B97F4A7C15)
        mix ^= mix >> np.uint64(29)
    slot = np.int64(mix * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(20)) & (len(slots) - 1)
    while slots[slot] >= 0:
        k = slots[slot]
        if _same_future(layer, i, k):
            if layer.cost[i] < layer.cost[k]:
                _copy(layer, i, layer, k)
            return
        slot = (slot + 1) & (len(slots) - 1)
    if state[3] >= len(layer.size) - 1:
        state[2] = 0
        return
    slots[slot] = state[3]
    _copy(layer, i, layer, state[3])
    state[3] += 1


@njit()
def _same_future(layer: Layer, i: int, k: int) -> bool:
    if layer.waiting[i] != layer.waiting[k] or layer.size[i] != layer.size[k]:
        return False
    for r in range(layer.size[i]):
        j = layer.running[i, r]
        if j != layer.running[k, r] or layer.start[i, j] != layer.start[k, j]:
            return False
    return True
