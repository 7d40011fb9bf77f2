"""Queues of the hosts: heaps of (key, id) in arrays, the smallest first, four children to an entry.

Place 0 of the array holds no entry: its id is the length of the queue.
"""

from __future__ import annotations

import numpy as np

from ..jit import bare
from ..policy.view import Columns, records

ENTRY = np.dtype([("key", np.float64), ("id", np.int64)], align=True)


def empty(room: int) -> Columns:
    """A queue for so many entries, shape (room + 1,)."""
    return records(room + 1, ENTRY)


@bare()
def before(queue: Columns, x: int, key: float, i: int) -> bool:
    """True if the entry in place x comes before (key, i)."""
    return queue[x].key < key or (queue[x].key == key and queue[x].id < i)


@bare()
def push(queue: Columns, key: float, i: int) -> None:
    """Add request i."""
    queue[0].id += 1
    x = queue[0].id
    while x > 1:
        parent = (x + 2) >> 2
        if before(queue, parent, key, i):
            break
        queue[x] = queue[parent]
        x = parent
    queue[x].key = key
    queue[x].id = i


@bare()
def pop(queue: Columns) -> int:
    """Remove and return the first one; the last place is free then."""
    first, last = queue[1].id, queue[0].id
    queue[0].id = last - 1
    sink(queue, 1, queue[last].key, queue[last].id)
    return first


@bare()
def sink(queue: Columns, x: int, key: float, i: int) -> None:
    """Put (key, i) into the open place x or below it, so that the queue is in order from there on."""
    length = queue[0].id
    child = 4 * x - 2
    while child <= length:
        least = child
        for y in range(child + 1, min(child + 4, length + 1)):
            if before(queue, y, queue[least].key, queue[least].id):
                least = y
        if not before(queue, least, key, i):
            break
        queue[x] = queue[least]
        x = least
        child = 4 * x - 2
    queue[x].key = key
    queue[x].id = i


@bare()
def arrange(queue: Columns) -> None:
    """Bring entries in any order into that of a queue."""
    for x in range((queue[0].id + 2) >> 2, 0, -1):
        sink(queue, x, queue[x].key, queue[x].id)
