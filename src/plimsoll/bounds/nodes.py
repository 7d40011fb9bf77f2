"""Nodes of the proof: schedules up to an epoch, and the three things that happen to them.

Requests start, a round runs, and a node joins its layer unless one with the same future is already there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..jit import njit
from .guide import Guide
from .prices import Floats
from .problem import Ints, Problem

MOST_REQUESTS = 64
MOST_RUNNING = 15


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


@njit()
def copy(source: Layer, i: int, target: Layer, k: int) -> None:
    target.waiting[k] = source.waiting[i]
    target.start[k] = source.start[i]
    target.running[k] = source.running[i]
    target.size[k] = source.size[i]
    target.tight[k] = source.tight[i]
    target.cost[k] = source.cost[i]
    target.before[k] = source.before[i]
    target.bound[k] = source.bound[i]


@njit()
def may_start(problem: Problem, tables: Guide, t: int, layer: Layer, i: int, j: int) -> bool:
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
def start(problem: Problem, t: int, layer: Layer, i: int, j: int) -> None:
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
def finish_round(
    problem: Problem,
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
                copy(layer, i, layer, k)
            return
        slot = (slot + 1) & (len(slots) - 1)
    if state[3] >= len(layer.size) - 1:
        state[2] = 0
        return
    slots[slot] = state[3]
    copy(layer, i, layer, state[3])
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
