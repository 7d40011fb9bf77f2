"""The running requests of the rounds host, kept sorted by predicted completion."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit import bare, inlined
from ..policy.view import History, View

ABSENT = -(1 << 60)
FOREVER = 1 << 60

CLOCK = np.dtype(
    [
        ("now", np.int64),  # this epoch
        ("time", np.float64),  # the host's clock: rounds or seconds
        ("k", np.int64),  # how many are running
        ("held", np.int64),  # Σ offset over them: together they hold held + k · t in round t
        ("due", np.int64),  # the first epoch at which one of them leaves
        ("arrived", np.int64),
        ("done", np.int64),
        ("started", np.int64),  # starts so far
        ("evicted", np.int64),  # at this epoch
        ("logged", np.int64),  # lines in the log
        ("changed", np.bool_),  # something left the batch at this epoch
        ("head", np.int64),  # the request that was last refused
        ("retry", np.int64),  # … and the epoch at which to ask for it again
        ("churn", np.int64),  # overflows in a row that took requests back, none of which got further than before
        ("kills", np.int64),  # the same of events at which the policy took them back unasked, or at their limit
        ("idle", np.int64),  # events in a row in which nobody runs and nobody is to come
        ("overflows", np.int64),
        ("events", np.int64),
        ("peak", np.int64),
        ("area", np.float64),  # Σ use over all rounds so far
        ("status", np.int64),
        ("fault", np.int64),  # the request (or count) that a bad status is about
    ],
    align=True,
)

COURSE = np.dtype(
    [
        ("output", np.int64),  # tokens: the truth, which stays out of every view
        ("start", np.int64),  # the last one; −1 where never, as the next two
        ("first_token", np.int64),
        ("finish", np.int64),
        ("reached", np.int64),  # tokens of the longest attempt that ended in an eviction
    ],
    align=True,
)


class State(NamedTuple):
    """All that a run works on."""

    capacity: int  # M, tokens
    own: int  # bits of the hooks that the policy or the predictor brings itself
    recompute: bool  # an evicted request keeps its tokens
    prefill: int  # steps of a prefill that charge the prompt and make no token: 0 or 1
    clock: Any  # (1,) of CLOCK
    requests: Any  # (n,) of REQUEST
    course: Any  # (n,) of COURSE: side by side what is asked for together, because a cache holds few of many requests
    waiting: Any  # (n + 1,) the queue, see host.queue
    log: Any  # (room, 4) id, start, stop and the tokens kept before, of each attempt that ended in an eviction
    running: Any  # (room,) of RUNNING, the first k in use, by ascending predicted end
    due: Any  # (room,) the epoch at which each running request truly leaves
    out: Any  # (room,) ids, room for a hook's answer
    survival: Any  # (kinds, grid points)
    p: Any  # parameters of the policy, its columns and its memory
    columns: Any
    memory: Any
    q: Any  # parameters of the predictor, its columns and its memory
    facts: Any
    notes: Any
    dice: Any  # (6,)


@inlined()
def look(state: State) -> View:
    """What the policy sees at this epoch."""
    c, capacity = state.clock[0], state.capacity
    use = c.held + c.k * (c.now + 1)
    return View(
        c.time, c.now, capacity, 1, capacity - use - 1 + state.prefill, max(0, use - capacity), c.evicted,
        state.requests, state.running[: c.k], state.survival, state.columns, state.memory, state.dice,
    )  # fmt: skip


@inlined()
def past(state: State) -> History:
    """What the predictor sees at this epoch."""
    c = state.clock[0]
    return History(
        c.time, c.now, state.requests, state.running[: c.k], state.survival, state.facts, state.notes
    )  # fmt: skip


@inlined()
def insert(state: State, i: int, end: int, due: int) -> None:
    """Request i runs from this epoch on, until ``due``; it is predicted to finish at ``end``."""
    c, running = state.clock[0], state.running
    end, due = end + state.prefill, due + state.prefill
    x = c.k
    while x > 0 and running[x - 1].end > end:
        running[x] = running[x - 1]
        state.due[x] = state.due[x - 1]
        x -= 1
    offset = state.requests[i].prompt + state.requests[i].generated - c.now - state.prefill
    running[x].id = i
    running[x].end = end
    running[x].offset = offset
    state.due[x] = due
    c.k += 1
    c.held += offset
    c.due = min(c.due, due)


@inlined()
def take_due(state: State) -> int:
    """Move the ids of the running requests that leave at this epoch to ``out``; return their count.

    Those that stay although predicted to be done are now predicted to need one more token.
    """
    c, running, due = state.clock[0], state.running, state.due
    now, k, kept = c.now, c.k, 0
    while kept < k and due[kept] > now:
        kept += 1
    for x in range(kept, k):
        if due[x] <= now:
            state.out[x - kept] = running[x].id
            c.held -= running[x].offset
        else:
            running[kept] = running[x]
            due[kept] = due[x]
            kept += 1
    first = FOREVER
    for x in range(kept):
        first = min(first, due[x])
    x = 0
    while x < kept and running[x].end <= now:
        running[x].end = now + 1
        x += 1
    c.k = kept
    c.due = first
    return k - kept


@bare()
def take(state: State, count: int) -> bool:
    """Remove the requests ``out[:count]`` from the running ones; False, and nothing removed, if one is not there."""
    c, running = state.clock[0], state.running
    found = 0
    for y in range(count):
        for x in range(c.k):
            if running[x].id == state.out[y]:
                found += 1
                break
    if found != count:
        return False
    kept, first = 0, FOREVER
    for x in range(c.k):
        stays = True
        for y in range(count):
            if running[x].id == state.out[y]:
                stays = False
                c.held -= running[x].offset
                break
        if stays:
            if kept < x:
                running[kept] = running[x]
                state.due[kept] = state.due[x]
            first = min(first, state.due[kept])
            kept += 1
    c.k = kept
    c.due = first
    return True
