"""The waiting queue: a heap of (place, id) in an array, four children to a node."""

from __future__ import annotations

import numpy as np

from ..jit import bare
from ..policy.view import Columns

QUEUED = np.dtype([("place", np.float64), ("id", np.int64)], align=True)


@bare()
def precedes(queue: Columns, x: int, place: float, i: int) -> bool:
    """True if the entry at x comes before request i at this place; ties by id."""
    return queue[x].place < place or (queue[x].place == place and queue[x].id < i)


@bare()
def push(queue: Columns, size: int, place: float, i: int) -> None:
    """Add request i to the first ``size`` entries."""
    x = size
    while x > 0:
        parent = (x - 1) >> 2
        if precedes(queue, parent, place, i):
            break
        queue[x] = queue[parent]
        x = parent
    queue[x].place = place
    queue[x].id = i


@bare()
def sink(queue: Columns, size: int, x: int, place: float, i: int) -> None:
    """Put request i where the entry at x was, or below it: into a heap but for the entry at x."""
    first = 4 * x + 1
    while first < size:
        least = first
        for y in range(first + 1, min(first + 4, size)):
            if precedes(queue, y, queue[least].place, queue[least].id):
                least = y
        if not precedes(queue, least, place, i):
            break
        queue[x] = queue[least]
        x = least
        first = 4 * x + 1
    queue[x].place = place
    queue[x].id = i


@bare()
def pop(queue: Columns, size: int) -> None:
    """Remove the head of ``size`` entries; the last entry's room is free then."""
    last = size - 1
    sink(queue, last, 0, queue[last].place, queue[last].id)


@bare()
def arrange(queue: Columns, size: int) -> None:
    """Make a heap of the first ``size`` entries in any order."""
    for x in range((size - 2) >> 2, -1, -1):
        sink(queue, size, x, queue[x].place, queue[x].id)
