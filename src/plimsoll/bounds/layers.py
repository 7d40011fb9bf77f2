"""Proof: every schedule that could still be better, round by round, or the most promising of them.

A node is what a schedule has done up to an epoch: which requests wait, which run since when, and what the
finished ones cost. The nodes of one epoch are a layer. A node leads to the next layer by starting any set
of waiting requests that fits in every later round. Four rules keep layers small, none of which loses every
optimal schedule:

- *Bound.* The finished cost, plus the Lagrangian bound of `prices` for the rounds still to come: the value of the
  state that the running requests form (a table lookup), plus the rewards of all that is not finished, less the
  price of the memory that is left. A node that cannot beat the best schedule by a whole round of weight is dropped.
- *Equal futures.* Of two nodes with the same waiting and the same running requests (same starts), the cheaper
  is kept.
- *Tight starts.* If a request that finishes could have started one round earlier beside everything else that ran,
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
from .guide import Guide
from .nodes import MOST_REQUESTS, MOST_RUNNING, Layer, copy, finish_round, may_start, new_layer, start
from .prices import NEVER, Floats
from .problem import Ints, Problem

NODES = 200  # between two looks at the clock


class Ahead(NamedTuple):
    """Bounds already worked out in a layer, by running requests: ``value[k]`` is (stay, enter) for ``key[k]``."""

    slots: npt.NDArray[np.int32]
    key: Ints
    value: Floats
    after: Floats
    left: Floats


class Outcome(NamedTuple):
    """``start`` of the best schedule found (None: none better), nodes expanded, and whether none was left out."""

    start: Ints | None
    nodes: int
    whole: bool


def explore(problem: Problem, tables: Guide, upper: int, room: int, width: int, stop: Callable[[], bool]) -> Outcome:
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
    memory = 1 << 17
    shape = len(tables.states.held)
    ahead = Ahead(
        np.full(4 * memory, -1, np.int32),
        np.zeros((memory, MOST_RUNNING + 1), np.int64),
        np.zeros((memory, 2)),
        np.zeros(shape),
        np.zeros(shape),
    )
    # best cost, nodes expanded, whole, nodes in the next layer, entries of ``ahead``, rows taken, nodes on the stack
    state = np.array([upper, 0, 1, 0, 0, 0, 0], np.int64)
    count = 1
    for t in range(tables.stay.shape[0] - 2):
        order = np.argsort(here.bound[:count], kind="stable")
        if count > width:
            state[2], order = 0, order[:width]
        slots[:], ahead.slots[:], state[3:] = -1, -1, 0
        while state[5] < len(order) or state[6] > 0:
            if stop():
                return Outcome(found if state[0] < upper else None, int(state[1]), False)
            _expand(problem, tables, t, here, order, there, stack, pointer, slots, ahead, found, state)
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
    ahead: Ahead,
    found: Ints,
    state: Ints,
) -> None:
    """Start every set of requests that fits at epoch t from the given nodes, and run round t + 1.

    Goes on where ``state`` and the stack say, and comes back after so many nodes, so that time is watched.
    """
    bench = len(there.size) - 1  # the last row of the next layer is the workbench
    for _ in range(NODES):
        if state[6] == 0:
            if state[5] == len(rows):
                return
            row = rows[state[5]]
            state[5] += 1
            if here.bound[row] > state[0] - 1:
                continue
            copy(here, row, stack, 0)
            pointer[0] = 0
            state[6] = 1
        state[6] -= 1
        top = state[6]
        state[1] += 1
        known, sure, x, held = _known(problem, tables, t, stack, top)
        if known + tables.enter[t + 1, x] > state[0] - 1:
            continue
        stay, enter = _ahead(problem, tables, t, stack, top, ahead, state)
        if sure + enter > state[0] - 1:
            continue
        copy(stack, top, there, bench)
        for j in range(pointer[top], len(problem.arrival)):
            if may_start(problem, tables, t, there, bench, j):
                copy(there, bench, stack, state[6])
                pointer[state[6]] = j + 1
                start(problem, t, stack, state[6], j)
                state[6] += 1
        there.bound[bench] = sure + stay
        if sure + stay <= state[0] - 1:
            finish_round(problem, t, there, bench, held, slots, found, state)


@njit()
def _ahead(
    problem: Problem, tables: Guide, t: int, layer: Layer, i: int, ahead: Ahead, state: Ints
) -> tuple[float, float]:
    """The least cost of other large requests from round t + 1 on, beside what the running ones will hold.

    Without and with entries in round t + 1. The running requests are known, so until the last of them
    finishes the states of the others are confined to the memory that they leave; then the tables take over.
    Memory held by the running ones is paid for in `_known`. The answer depends on nothing else and is kept
    for the layer.
    """
    size = layer.size[i]
    if size == 0:
        return tables.stay[t + 1, 0], tables.enter[t + 1, 0]
    mix = np.uint64(size)
    for r in range(size):
        j = layer.running[i, r]
        mix = (mix ^ np.uint64(1 + j * 65537 + layer.start[i, j])) * np.uint64(0x9E3779B97F4A7C15)
        mix ^= mix >> np.uint64(29)
    slot = np.int64(mix * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(20)) & (len(ahead.slots) - 1)
    while ahead.slots[slot] >= 0:
        k = ahead.slots[slot]
        same = ahead.key[k, MOST_RUNNING] == size
        for r in range(size):
            j = layer.running[i, r]
            same = same and ahead.key[k, r] == j * 65536 + layer.start[i, j]
        if same:
            return ahead.value[k, 0], ahead.value[k, 1]
        slot = (slot + 1) & (len(ahead.slots) - 1)
    stay, enter = _confined(problem, tables, t, layer, i, ahead.after, ahead.left)
    k = state[4]
    if k < len(ahead.key):
        ahead.slots[slot] = k
        ahead.key[k, MOST_RUNNING] = size
        for r in range(size):
            j = layer.running[i, r]
            ahead.key[k, r] = j * 65536 + layer.start[i, j]
        ahead.value[k, 0], ahead.value[k, 1] = stay, enter
        state[4] += 1
    return stay, enter


@njit()
def _confined(
    problem: Problem, tables: Guide, t: int, layer: Layer, i: int, after: Floats, left: Floats
) -> tuple[float, float]:
    """The dynamic program of `_ahead`: that of `prices`, with the running requests' memory taken off M."""
    _, s, o, _, m = problem
    rise, more, held = tables.states.rise, tables.states.enter, tables.states.held
    first, level, without = tables.states.first, tables.states.level, tables.states.without
    last = t
    for r in range(layer.size[i]):
        last = max(last, layer.start[i, layer.running[i, r]] + o[layer.running[i, r]])
    after[:] = tables.enter[last + 1]
    reach = len(held)
    stay = NEVER
    for now in range(last, t, -1):
        room = m
        for r in range(layer.size[i]):
            j = layer.running[i, r]
            if layer.start[i, j] + o[j] >= now:
                room -= s[j] + now - layer.start[i, j]
        count = tables.upto[room]
        highest = tables.floor + now - t
        for x in range(count):
            if x > 0 and level[first[x]] > highest:
                continue  # no request that entered since t can be there
            best = NEVER
            if rise[x] >= 0 and rise[x] < reach:
                best = after[rise[x]]
            for k in range(first[x], first[x + 1]):
                best = min(best, tables.least[level[k], now] + left[without[k]])
            left[x] = best
        stay = left[0]
        for x in range(count - 1, -1, -1):
            if x > 0 and level[first[x]] > highest:
                continue
            after[x] = left[x] + tables.price[now] * held[x]
            if more[x] >= 0 and more[x] < count:
                after[x] = min(after[x], after[more[x]])
        reach = count
    return stay, after[0]


@njit()
def _known(problem: Problem, tables: Guide, t: int, layer: Layer, i: int) -> tuple[float, float, int, int]:
    """What a node's bound at epoch t is made of: two sums, its state, and the tokens held in round t + 1.

    The first sum plus the value of the state is a bound that lets large running requests finish at any peak.
    Memory of round t and before is spent: a running request's tokens below the floor in those rounds,
    which its finish will be charged for, are taken off. The second sum plus `_ahead` is a bound that holds
    the running requests to their own finishes.
    """
    a, s, o, w, m = problem
    value, x, held = layer.cost[i] - m * tables.rest[t], 0, 0
    running = 0.0
    for j in range(len(a)):
        if layer.waiting[i] >> np.uint64(j) & np.uint64(1):
            value += tables.reward[j] if tables.large[j] else tables.alone[j, t]
    for r in range(layer.size[i]):
        j = layer.running[i, r]
        k = layer.start[i, j]
        level = s[j] + t + 1 - k
        held += level
        end = k + o[j] + 1
        pays = w[j] * (end - 1 - a[j])
        pays += (s[j] - k) * (tables.paid[end] - tables.paid[t + 1]) + tables.moment[end] - tables.moment[t + 1]
        running += pays
        if tables.large[j]:
            value += tables.reward[j]
            if level > tables.floor:
                x = tables.states.add[x, level]
            past = min(t, k + tables.floor - s[j]) + 1
            value -= (s[j] - k) * (tables.paid[past] - tables.paid[k + 1])
            value -= tables.moment[past] - tables.moment[k + 1]
            running -= tables.reward[j]
            running += (s[j] - k) * (tables.paid[past] - tables.paid[k + 1])
            running += tables.moment[past] - tables.moment[k + 1]
        else:
            value += pays
            running -= pays
    return value, value + running, x, held
