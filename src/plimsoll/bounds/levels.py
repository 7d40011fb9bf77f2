"""Levels: everything that large requests can hold at one instant, as the states of a dynamic program.

A time-indexed linear program packs fractions of requests, which stagger themselves perfectly; whole requests
cannot. What stops them is small enough to enumerate. A running request holds one more token every round, so
at any instant the running requests are a multiset of levels (tokens held); all levels rise by 1 a round, a
request leaves at its peak prompt + output, and their sum never exceeds M. Only levels above a `floor` are
kept. Every request with prompt <= floor < peak passes through level floor + 1, so a schedule moves through
these states one round at a time by three moves: enter at floor + 1, rise, leave at a peak. Below the floor,
memory is only priced (see `prices`). The number of states is the number of partitions of at most M into
parts above the floor: 1,036 for M = 39 and floor 5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..jit import njit

Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]


class States(NamedTuple):
    """All multisets of levels in (floor, top] with sum at most M, by ascending sum; the first is empty.

    Attributes
    ----------
    held : shape (k,), tokens: the sum of the levels.
    rise : shape (k,), the state one round later, or -1 where it would overflow.
    enter : shape (k,), the state with one more level floor + 1, or -1.
    first : shape (k + 1,), where each state's distinct levels begin in ``level`` and ``without``.
    level, without : the distinct levels, and the state with that level removed.
    add : shape (k, top + 1), the state with a level added, or -1.
    """

    held: Indices
    rise: Indices
    enter: Indices
    first: Indices
    level: Indices
    without: Indices
    add: npt.NDArray[np.int32]


def count(capacity: int, floor: int, limit: int) -> int:
    """States with any top, counted up to about ``limit``: partitions of at most M into parts above the floor."""
    return int(_count(capacity, floor, limit))


@njit()
def _count(capacity: int, floor: int, limit: int) -> int:
    ways = np.zeros(capacity + 1, np.int64)
    ways[0] = 1
    for part in range(floor + 1, capacity + 1):
        for total in range(part, capacity + 1):
            ways[total] = min(ways[total] + ways[total - part], limit + 1)
    return min(ways.sum(), limit + 1)


def affordable_floor(capacity: int, least: int, limit: int) -> int:
    """The smallest floor >= ``least`` with at most ``limit`` states; ``capacity`` (one state) if there is none."""
    if capacity > 4 * limit:
        return capacity
    low, high = least, capacity
    while low < high:
        middle = (low + high) // 2
        if count(capacity, middle, limit) <= limit:
            high = middle
        else:
            low = middle + 1
    return low


def enumerate_states(capacity: int, floor: int, top: int) -> States:
    """All states with levels in (floor, top] and sum at most capacity."""
    found = _multisets(capacity, floor, top)
    found.sort(key=lambda state: (sum(state), state))
    index = {state: i for i, state in enumerate(found)}
    rise = np.full(len(found), -1, np.int32)
    add = np.full((len(found), top + 1), -1, np.int32)
    first, level, without = [0], [], []
    for i, state in enumerate(found):
        rise[i] = index.get(tuple(h + 1 for h in state), -1)
        for k, h in enumerate(state):
            if k == 0 or state[k - 1] != h:
                rest = index[state[:k] + state[k + 1 :]]
                level.append(h)
                without.append(rest)
                add[rest, h] = i
        first.append(len(level))
    held = np.array([sum(state) for state in found], np.int32)
    enter = add[:, floor + 1].copy() if floor < top else np.full(len(found), -1, np.int32)
    return States(
        held, rise, enter, np.array(first, np.int32), np.array(level, np.int32), np.array(without, np.int32), add
    )


def _multisets(capacity: int, floor: int, top: int) -> list[tuple[int, ...]]:
    """Every descending tuple of levels in (floor, top] with sum at most capacity."""
    found: list[tuple[int, ...]] = [()]
    for state in found:  # grows while it is read: every tuple is extended by a level no larger than its last
        room = capacity - sum(state)
        last = state[-1] if state else top
        found.extend((*state, h) for h in range(floor + 1, min(last, room) + 1))
    return found
