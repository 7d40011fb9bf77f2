"""Queues of the hosts: heaps of (key, id) in arrays, the smallest first, four children to an entry.

Place 0 of the array holds no entry: its id is the length of the queue.
"""

from __future__ import annotations

import numpy as np

from ..jit import bare, inlined
from ..policy.view import Columns, records

ENTRY = np.dtype([("key", np.float64), ("id", np.int64)], align=True)
_SIBLINGS = 4 * ENTRY.itemsize  # bytes; places 2 to 5, 6 to 9, …


def empty(room: int) -> Columns:
    """A queue for so many entries, shape (room + 1,), laid out so that four siblings share a line of cache."""
    roomy = records(room + 5, ENTRY)
    first = (_SIBLINGS - 2 * ENTRY.itemsize - roomy.ctypes.data) % _SIBLINGS // ENTRY.itemsize
    return roomy[first : first + room + 1]


@bare()
def before(queue: Columns, x: int, key: float, i: int) -> bool:
    """True if the entry in place x comes before (key, i)."""
    return queue[x].key < key or (queue[x].key == key and queue[x].id < i)


@bare()
def move(queue: Columns, x: int, to: int) -> None:
    """Copy the entry in place x, field by field: a record as a whole is copied byte by byte."""
    queue[to].key = queue[x].key
    queue[to].id = queue[x].id


@inlined()
def push(queue: Columns, key: float, i: int) -> None:
    """Add request i."""
    queue[0].id += 1
    x = queue[0].id
    while x > 1:
        parent = (x + 2) >> 2
        if before(queue, parent, key, i):
            break
        move(queue, parent, x)
        x = parent
    queue[x].key = key
    queue[x].id = i


@inlined()
def pop(queue: Columns) -> int:
    """Remove and return the first one; the last place is free then."""
    first, last = queue[1].id, queue[0].id
    queue[0].id = last - 1
    sink(queue, 1, queue[last].key, queue[last].id)
    return first


@inlined()
def sink(queue: Columns, x: int, key: float, i: int) -> None:
    """Put (key, i) into the open place x or below it, so that the queue is in order from there on.

    The least child is chosen without a branch, which no processor could predict.
    """
    length = queue[0].id
    child = 4 * x - 2
    while child <= length:
        least, low, first = child, queue[child].key, queue[child].id
        for y in range(child + 1, min(child + 4, length + 1)):
            other, j = queue[y].key, queue[y].id
            less = (other < low) | ((other == low) & (j < first))
            least, low, first = y if less else least, other if less else low, j if less else first
        if not (low < key or (low == key and first < i)):
            break
        queue[x].key = low
        queue[x].id = first
        x = least
        child = 4 * x - 2
    queue[x].key = key
    queue[x].id = i


@bare()
def arrange(queue: Columns) -> None:
    """Bring entries in any order into that of a queue."""
    for x in range((queue[0].id + 2) >> 2, 0, -1):
        sink(queue, x, queue[x].key, queue[x].id)
