"""The discrete-round model (arXiv 2502.07115, §2): an event loop that never touches each request at each token.

A request started at epoch k holds s + (t − k) tokens in round t = k + 1 … k + o and completes at k + o; its memory
is free for a request started at that epoch. Between two events (arrival, completion, overflow, wake) the batch is the
same and its use grows by one token per running request a round, so the loop goes from event to event.
"""

from __future__ import annotations

import math
from typing import Any

from numba import from_dtype, types

from ..jit import bare, inlined, late
from ..policy.protocol import CHANGE, RERANK, SKIP, START, function_types
from ..policy.view import BATCH, FLOATS, INT, INTS, REQUESTS, TABLE, View
from .batch import CLOCK, COURSE, State, insert, look, past, take, take_due
from .prefetch import prefetch
from .queue import ENTRY, arrange, pop, push

OK, STUCK, CHURN, LATE, OVERFULL, NOT_RUNNING, NAN, STOPPED, LOG_FULL = range(9)
LIMITS, WAKES, LEARNS = 1, 2, 4  # bits of ``own``: hooks that the policy or the predictor brings itself
PATIENCE = 10_000  # events in a row that bring nobody further, after which the run is taken to repeat itself
ROUNDS_OF_KILLS = 100  # so often may all be taken back besides: some policies begin everybody anew, stage by stage
_TURNS = 1_000  # new orders of the queue in a row, after which nobody starts before something changes

_HOOKS = function_types("rank", "admit", "evict", "limit", "wake", "predict", "learn")
_COURSES = types.Array(from_dtype(COURSE), 1, "C")
_LOG = types.Array(INT, 2, "C")
_QUEUE = types.Array(from_dtype(ENTRY), 1, "C")
_CLOCKS = types.Array(from_dtype(CLOCK), 1, "C")
STATE = types.NamedTuple(
    (
        *(INT, INT, types.boolean, INT, _CLOCKS, REQUESTS, _COURSES, _QUEUE, _LOG, BATCH, INTS, INTS),
        *(TABLE, FLOATS, TABLE, FLOATS, FLOATS, TABLE, FLOATS, INTS),
    ),
    State,
)


@inlined()
def rejoin(rank: Any, state: State, i: int) -> None:
    """Put an evicted request back into the queue; its attempt taught that its output is longer than it got."""
    c, r = state.clock[0], state.requests[i]
    started = state.course[i].start
    line = state.log[c.logged]
    line[0], line[1], line[2], line[3] = i, started, c.now, r.generated
    c.logged += 1
    tokens = max(r.generated, r.generated + c.now - started - state.prefill)
    if tokens > state.course[i].reached:
        state.course[i].reached = tokens
        c.churn = c.kills = 0
    r.predicted = max(r.predicted, tokens + 1.0)
    r.lower = max(r.lower, tokens + 1.0)
    r.upper = max(r.upper, r.lower)
    r.evictions += 1
    r.generated = tokens if state.recompute else 0
    push(state.waiting, rank(look(state), state.p, i), i)


@inlined()
def leave(rank: Any, learn: Any, state: State) -> None:
    """Completions free their memory; requests at their limit go back to the queue."""
    c, before = state.clock[0], state.clock[0].logged
    left = take_due(state)
    for y in range(left):
        i = state.out[y]
        kept = state.requests[i].generated
        if kept + c.now - state.course[i].start - state.prefill >= state.course[i].output:
            state.course[i].finish = c.now
            c.done += 1
            c.churn = c.kills = 0
            if state.own & LEARNS:
                learn(past(state), state.q, i, state.course[i].output)
        else:
            rejoin(rank, state, i)
    c.kills += c.logged > before
    c.changed = left > 0


@inlined()
def arrive(rank: Any, predict: Any, state: State) -> None:
    """Requests that have come join the queue."""
    c, requests = state.clock[0], state.requests
    view = look(state)
    while c.arrived < len(requests) and requests[c.arrived].arrival <= c.time:
        i = int(c.arrived)
        if state.own & LEARNS:
            predict(past(state), state.q, i)
        place = rank(view, state.p, i)
        if math.isnan(place):
            c.status, c.fault = NAN, i
            return
        push(state.waiting, place, i)
        c.arrived += 1


@bare()
def make_room(rank: Any, evict: Any, state: State) -> None:
    """Evict whom the policy names until the next round fits."""
    c = state.clock[0]
    while c.held + c.k * (c.now + 1) > state.capacity:
        if take_back(rank, evict, state) < 1:
            c.status = NOT_RUNNING
            return
    c.overflows += 1
    c.churn += 1


@bare()
def take_back(rank: Any, evict: Any, state: State) -> int:
    """Evict whom the policy names; return how many those are, −1 if not all of them are running."""
    c = state.clock[0]
    c.fault = count = evict(look(state), state.p, state.out)
    if count < 0 or count > c.k or not take(state, count):
        c.status = NOT_RUNNING
        return -1
    c.evicted += count
    c.changed = True
    for y in range(count):
        rejoin(rank, state, state.out[y])
    return count


@bare()
def repeats(c: Any, n: int) -> bool:
    """True if memory has been given back so often, and nobody got further, that this will go on for ever."""
    return c.churn > PATIENCE or c.kills > PATIENCE + ROUNDS_OF_KILLS * n


@bare()
def rank_again(rank: Any, state: State) -> None:
    """Order the queue anew."""
    view, queue = look(state), state.waiting
    for x in range(1, queue[0].id + 1):
        queue[x].key = rank(view, state.p, queue[x].id)
    arrange(queue)


@inlined()
def unqueue(queue: Any, skipped: int, skip: bool) -> None:
    """Take the head out; ``skipped`` entries, and then the head if ``skip``, are kept behind the queue's end."""
    key, last = queue[1].key, queue[0].id
    i = pop(queue)
    queue[last] = queue[last + skipped]
    if skip:
        queue[last + skipped].key = key
        queue[last + skipped].id = i


@inlined()
def expect(state: State, i: int) -> None:
    """Request i is about to be looked at."""
    prefetch(state.requests, i)
    prefetch(state.course, i)
    prefetch(state.columns, i)


@inlined()
def start_some(rank: Any, admit: Any, limit: Any, state: State) -> None:
    """Ask for the head of the queue, and go on while the policy starts it."""
    c, queue = state.clock[0], state.waiting
    asked_to_wake = state.own & WAKES > 0
    skipped = turns = 0
    while queue[0].id > 0:
        i = queue[1].id
        if i == c.head and c.now < c.retry and not (c.changed or asked_to_wake):
            break
        view = look(state)
        verdict = admit(view, state.p, i)
        if verdict == RERANK:
            if turns < _TURNS:
                rank_again(rank, state)
                turns += 1
                continue
            verdict = CHANGE
        turns = 0
        if verdict == SKIP:
            unqueue(queue, skipped, True)
            skipped += 1
            continue
        if verdict != START:
            c.head, c.retry, c.changed = i, c.now + max(1, verdict), False
            break
        r = state.requests[i]
        if r.prompt + r.generated > view.free:
            c.status, c.fault = OVERFULL, i
            return
        unqueue(queue, skipped, False)
        expect(state, queue[1].id)
        start(limit, view, state, i)
    if skipped > 0:
        for _ in range(skipped):
            behind = queue[queue[0].id + 1]
            push(queue, behind.key, behind.id)
        c.head, c.retry = queue[1].id, c.now + 1


@inlined()
def start(limit: Any, view: View, state: State, i: int) -> None:
    """Request i runs from this epoch on."""
    c, r = state.clock[0], state.requests[i]
    tokens = state.course[i].output - r.generated
    if state.own & LIMITS:
        tokens = min(tokens, max(1, limit(view, state.p, i)))
    insert(state, i, c.now + max(1, math.ceil(r.predicted) - r.generated), c.now + tokens)
    r.turn = c.started
    c.started += 1
    state.course[i].start = c.now
    if r.generated == 0:
        state.course[i].first_token = c.now + 1 + state.prefill


@inlined()
def next_epoch(wake: Any, state: State) -> int:
    """The next epoch at which something happens or the policy wants to be asked."""
    c = state.clock[0]
    following = c.due
    if c.k > 0:
        following = min(following, (state.capacity - c.held) // c.k)
    if c.arrived < len(state.requests):
        following = min(following, int(state.requests[c.arrived].arrival))
    if state.waiting[0].id > 0:
        following = min(following, c.retry)
    if state.own & WAKES:
        call = wake(look(state), state.p)
        if call < following:
            following = math.ceil(call)
    return max(c.now + 1, following)


@late(bare(types.void(*_HOOKS, STATE, INT, INTS)))
def run(rank, admit, evict, limit, wake, predict, learn, state, max_rounds, progress):
    """Schedule every request; ``state.course``, ``state.log`` and ``state.clock`` hold the outcome.

    Ends LOG_FULL where the next event may need more room in the log, and can go on from there.

    Parameters
    ----------
    max_rounds : a run that goes on beyond it ends LATE.
    progress : shape (4,), see ``plimsoll.progress``.
    """
    n, c = len(state.requests), state.clock[0]
    while c.status == OK:
        if c.logged + c.k > len(state.log):
            c.status = LOG_FULL
            break
        c.events += 1
        c.evicted, c.changed = 0, False
        if c.due <= c.now or (c.k > 0 and state.running[0].end <= c.now):
            leave(rank, learn, state)
        if c.arrived < n and state.requests[c.arrived].arrival <= c.now:
            arrive(rank, predict, state)
        if state.own & WAKES and wake(look(state), state.p) <= c.now:
            c.kills += take_back(rank, evict, state) > 0
        if c.status == OK and c.held + c.k * (c.now + 1) > state.capacity:
            make_room(rank, evict, state)
        if state.waiting[0].id > 0 and c.status == OK:
            start_some(rank, admit, limit, state)
        progress[0], progress[2], progress[3] = c.done, c.now, c.held + c.k * (c.now + 1)
        if c.status != OK or c.done == n:
            break
        following = next_epoch(wake, state)
        c.idle = c.idle + 1 if c.k == 0 and c.arrived == n else 0
        if following >= CHANGE or c.idle > PATIENCE:
            c.status = STUCK
        elif repeats(c, n):
            c.status = CHURN
        elif following > max_rounds:
            c.status = LATE
        elif progress[1] != 0:
            c.status = STOPPED
        else:
            rounds = following - c.now
            c.area += c.held * rounds + c.k * (rounds * (c.now + following + 1) / 2)
            c.peak = max(c.peak, c.held + c.k * following)
            c.now = following
            c.time = following
