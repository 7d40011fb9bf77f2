"""The event loop of the iterations host: a batch at a time, prefill charged, pauses keep their memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ..jit import bare, late
from ..policy.protocol import function_types
from ..policy.view import FLOAT, FLOATS, INT, INTS
from ..steptime.kernel import decode_base, prefill_seconds
from .batch import FOREVER, State, look
from .rounds import (
    CHURN,
    LATE,
    LOG_FULL,
    NOT_RUNNING,
    OK,
    PATIENCE,
    STATE,
    STOPPED,
    STUCK,
    WAKES,
    arrive,
    leave,
    make_room,
    repeats,
    start_some,
    take_back,
)

SELECTS = 8  # bit of ``own``: the policy chooses who takes part
_HOOKS = function_types("rank", "admit", "evict", "limit", "select", "wake", "predict", "learn")
_FLAGS = types.Array(types.boolean, 1, "C")
_SPANS = types.Array(FLOAT, 2, "C")


@bare()
def shift(state: State, x: int, steps: int) -> None:
    """Put the running request in place x off by so many steps: it holds what it held, and ends that much later."""
    c, r = state.clock[0], state.running[x]
    r.offset -= steps
    r.end += steps
    state.due[x] += steps
    c.held -= steps
    if state.course[r.id].first_token > c.now:
        state.course[r.id].first_token += steps
    state.course[r.id].start += steps


@bare()
def pause(select: Any, state: State, paused: Any) -> None:
    """Note who sits out the next step; the running requests stay sorted by their predicted end."""
    c, running = state.clock[0], state.running
    for x in range(c.k):
        paused[running[x].id] = True
    count = select(look(state), state.p, state.out)
    if count < 0 or count > c.k:
        c.status, c.fault = NOT_RUNNING, count
        return
    for y in range(count):
        paused[state.out[y]] = False
    for x in range(c.k):
        if paused[running[x].id]:
            shift(state, x, 1)
    arrange(state)


@bare()
def arrange(state: State) -> None:
    """Sort the running requests by their predicted end, and find the first epoch at which one leaves."""
    c, running = state.clock[0], state.running
    c.due = FOREVER
    for x in range(c.k):
        i, end, offset, due = running[x].id, running[x].end, running[x].offset, state.due[x]
        y = x
        while y > 0 and running[y - 1].end > end:
            running[y] = running[y - 1]
            state.due[y] = state.due[y - 1]
            y -= 1
        running[y].id, running[y].end, running[y].offset, state.due[y] = i, end, offset, due
        c.due = min(c.due, due)


@bare()
def batch_seconds(state: State, before: int, paused: Any, first: Any, law: Any) -> float:
    """How long the next step lasts, seconds; -1 if nobody takes part.

    Whoever started since ``before`` starts takes part: its prompt is prefilled, and its first step is noted.
    """
    c, decodes, context = state.clock[0], 0, 0.0
    prompts, chunk, square = 0, 0.0, 0.0
    for x in range(c.k):
        r = state.running[x]
        tokens = float(r.offset + c.now + 1)
        if state.requests[r.id].turn >= before:
            paused[r.id] = False
            first[r.id] = c.now
            prompts += 1
            chunk += tokens
            square += tokens * tokens
        elif not paused[r.id]:
            decodes += 1
            context += tokens
    if prompts > 0:
        return prefill_seconds(law, decodes, context, decodes + prompts, chunk, square, 0.0, 0.0)
    return decode_base(law, decodes) + law[0] * context if decodes > 0 else -1.0


@bare()
def rest(wake: Any, state: State) -> None:
    """Nobody takes part: go on to the next arrival or to when the policy wants to be asked."""
    c = state.clock[0]
    for x in range(c.k):
        shift(state, x, -1)
    arrange(state)
    following = np.inf
    if c.arrived < len(state.requests):
        following = state.requests[c.arrived].arrival
    if state.own & WAKES:
        call = wake(look(state), state.p)
        if call > c.time:
            following = min(following, call)
    if following == np.inf:
        c.status = STUCK
    else:
        c.time = following


@late(bare(types.void(*_HOOKS, STATE, _FLAGS, INTS, _SPANS, FLOATS, INT, INTS)))
def run(
    rank, admit, evict, limit, select, wake, predict, learn, state, paused, first, spans,
    law, max_steps, progress
):  # fmt: skip
    """Schedule every request; ``state.course`` (in steps), ``state.log`` and ``state.clock`` hold the outcome.

    Ends LOG_FULL where the next event may need more room in the log or in ``spans``, and can go on from there.

    Parameters
    ----------
    paused : shape (n,), who sits out.
    first : shape (n,), the step before which each request last started.
    spans : shape (room, 2), when each step began and ended, seconds; the first step is 1.
    law : seconds of a step, see ``plimsoll.steptime.kernel``.
    max_steps : a run that goes on beyond it ends LATE.
    progress : shape (2,), see ``plimsoll.progress``.
    """
    n, c = len(state.requests), state.clock[0]
    while c.status == OK:
        if c.logged + c.k > len(state.log) or c.now + 1 >= len(spans):
            c.status = LOG_FULL
            break
        c.events += 1
        c.evicted, c.changed, before = 0, False, c.started
        if c.due <= c.now or (c.k > 0 and state.running[0].end <= c.now):
            leave(rank, learn, state)
        if c.arrived < n and state.requests[c.arrived].arrival <= c.time:
            arrive(rank, predict, state)
        c.changed = True  # time has passed, whatever the policy said of steps
        if state.own & WAKES and wake(look(state), state.p) <= c.time:
            c.kills += take_back(rank, evict, state) > 0
        if state.own & SELECTS and c.status == OK:
            pause(select, state, paused)
        if c.status == OK and c.held + c.k * (c.now + 1) > state.capacity:
            make_room(rank, evict, state)
        if state.waiting[0].id > 0 and c.status == OK:
            start_some(rank, admit, limit, state)
        progress[0] = c.done
        if c.status != OK or c.done == n:
            break
        seconds = batch_seconds(state, before, paused, first, law)
        c.idle = c.idle + 1 if seconds < 0.0 and c.arrived == n else 0
        if progress[1] != 0:
            c.status = STOPPED
        elif repeats(c, n):
            c.status = CHURN
        elif c.idle > PATIENCE:
            c.status = STUCK
        elif c.now >= max_steps:
            c.status = LATE
        elif seconds < 0.0:
            rest(wake, state)
        else:
            c.area += seconds * (c.held + c.k * (c.now + 1))
            c.peak = max(c.peak, c.held + c.k * (c.now + 1))
            c.now += 1
            spans[c.now, 0] = c.time
            c.time += seconds
            spans[c.now, 1] = c.time
