"""The serving host's event loop: vLLM V1's step rules in seconds, without touching every request at every step.

At a step: running requests first, each its next token or its next chunk; when the blocks do not suffice, the policy
names who gives them back; if nobody had to, waiting requests start from the head of the queue while the budget, the
places and the blocks last. While the batch only decodes, its composition can change only at an arrival, a completion,
a full pool, or when the policy asks to be asked: the loop goes from one of these to the next.
"""

from __future__ import annotations

import heapq
import math
from typing import Any

import numpy as np
from numba import from_dtype, types

from ..jit import late, njit
from ..policy.protocol import CHANGE, RERANK, SKIP, START, function_types
from ..policy.view import BATCH, FLOATS, INT, INTS, REQUESTS, TABLE
from ..steptime.kernel import decode_base
from .advance import decode_stretch, keep_oldest, keep_selected, single_step
from .engine import (
    CANCELLED,
    CLOCK,
    DECODES,
    DONE,
    FOREVER,
    IN_BATCH,
    JOB,
    NODE,
    NONE,
    RULES,
    WAITING,
    Engine,
    context_of,
    past,
    plan_chunks,
    see,
    tokens_of,
)  # fmt: skip
from .paged import needed, steps_until
from .places import enter, leave, room_for, settle, take, take_due
from .prefix import cost

OK, STUCK, CHURN, NOT_RUNNING, NAN, STOPPED = range(6)
LIMITS, WAKES, LEARNS = 1, 2, 4  # bits of ``own``: hooks that the policy or the predictor brings itself
_CHURN = 10_000  # overflows in a row without a completion: the run repeats itself

_HOOKS = function_types("rank", "admit", "evict", "limit", "select", "wake", "predict", "learn")
_RULES, _CLOCKS, _JOBS, _NODES = (types.Array(from_dtype(kind), 1, "C") for kind in (RULES, CLOCK, JOB, NODE))
_ENGINE = types.NamedTuple(
    (
        *(_RULES, _CLOCKS, FLOATS, INT, REQUESTS, INTS, _JOBS, BATCH, INTS, INTS, INTS, INTS, INTS, _NODES, INTS),
        *(FLOATS, TABLE, TABLE, FLOATS, TABLE, FLOATS, FLOATS, TABLE, FLOATS, INTS),
    ),
    Engine,
)


@njit()
def put_back(rank: Any, e: Engine, waiting: Any, attempts: Any, i: int) -> None:
    """Take a running request's memory and put it back into the queue: its tokens stay, their KV is computed again."""
    c, job, r = e.clock[0], e.jobs[i], e.requests[i]
    attempts.append((i, job.begun, c.step, r.generated))
    tokens = r.generated + tokens_of(e, i)
    c.lost += job.computed if job.computed != DECODES else job.offset + c.step
    leave(e, i, False)
    r.predicted = max(r.predicted, tokens + 1.0)
    r.lower = max(r.lower, tokens + 1.0)
    r.upper = max(r.upper, r.lower)
    r.evictions += 1
    r.generated = tokens
    job.status, job.last_token = WAITING, c.now
    heapq.heappush(waiting, (rank(see(e, 0, 0), e.p, i), i))


@njit()
def follow(e: Engine, i: int, coming: Any) -> None:
    """Plan the next turn of request i's session."""
    turn = e.jobs[i].next_turn
    if turn != NONE:
        heapq.heappush(coming, (e.clock[0].now + e.jobs[turn].think, turn))


@njit()
def depart(rank: Any, learn: Any, e: Engine, waiting: Any, attempts: Any, coming: Any) -> None:
    """Completions leave; requests at their limit go back to the queue."""
    c = e.clock[0]
    left = take_due(e)
    for y in range(left):
        i = int(e.out[y])
        if e.requests[i].generated + tokens_of(e, i) < e.output[i]:
            put_back(rank, e, waiting, attempts, i)
            continue
        attempts.append((i, e.jobs[i].begun, c.step, e.requests[i].generated))
        leave(e, i, e.rules[0].overlapped)
        e.jobs[i].status, e.jobs[i].finish = DONE, c.now
        c.done += 1
        c.churn = 0
        if e.own & LEARNS:
            learn(past(e), e.q, i, e.output[i])
        follow(e, i, coming)
    c.changed = c.changed or left > 0


@njit()
def arrive(rank: Any, predict: Any, e: Engine, i: int, waiting: Any, alarms: Any) -> None:
    """Request i joins the queue."""
    c = e.clock[0]
    if e.own & LEARNS:
        predict(past(e), e.q, i)
    place = rank(see(e, 0, 0), e.p, i)
    if math.isnan(place):
        c.status, c.fault = NAN, i
    heapq.heappush(waiting, (place, i))
    e.jobs[i].status = WAITING
    if e.jobs[i].deadline < math.inf:
        heapq.heappush(alarms, (e.requests[i].arrival + e.jobs[i].deadline, i))


@njit()
def hear(
    rank: Any, predict: Any, e: Engine, clocked: int, waiting: Any, coming: Any, alarms: Any, attempts: Any
) -> None:
    """Requests that have come join the queue; clients that give up go."""
    c = e.clock[0]
    seen = c.seen if e.rules[0].overlapped and c.k > 0 else c.now
    while c.arrived < clocked and e.requests[c.arrived].arrival <= seen:
        arrive(rank, predict, e, int(c.arrived), waiting, alarms)
        c.arrived += 1
    while len(coming) > 0 and coming[0][0] <= seen:
        at, i = heapq.heappop(coming)
        e.requests[i].arrival = at
        arrive(rank, predict, e, i, waiting, alarms)
    while len(alarms) > 0 and alarms[0][0] <= c.now:
        i = heapq.heappop(alarms)[1]
        was = e.jobs[i].status
        if was == IN_BATCH:
            attempts.append((i, e.jobs[i].begun, c.step, e.requests[i].generated))
            e.out[0] = i
            take(e, 1)
            c.lost += e.jobs[i].computed if e.jobs[i].computed != DECODES else e.jobs[i].offset + c.step
            leave(e, i, False)
        if was in (IN_BATCH, WAITING):
            e.jobs[i].status = CANCELLED
            c.changed = True
            c.done += 1
            follow(e, i, coming)


@njit()
def make_room(rank: Any, evict: Any, e: Engine, waiting: Any, attempts: Any) -> None:
    """While the next step needs more blocks than are free, ask the policy who gives theirs back."""
    c = e.clock[0]
    need = plan_chunks(e)[0]
    if need <= c.free:
        return
    while need > c.free:
        count = evict(see(e, need, 0), e.p, e.out)
        if count < 1 or count > c.k or not take(e, count):
            c.status, c.fault = NOT_RUNNING, count
            return
        c.evicted += count
        for y in range(count):
            put_back(rank, e, waiting, attempts, int(e.out[y]))
        need = plan_chunks(e)[0]
    c.overflows += 1
    c.churn += 1
    c.changed = True


@njit()
def verdict_on(admit: Any, e: Engine, i: int, need: int, left: int) -> int:
    """The policy's answer for the head of the queue, and the engine's own: it starts only what fits."""
    c, r = e.clock[0], e.rules[0]
    wanted = room_for(e, i)
    taken = cost(e, i, wanted) if r.cached else wanted
    verdict = admit(see(e, need, wanted - taken), e.p, i)
    if verdict == START:
        if taken > c.free - need - (r.watermark if c.k > 0 else 0):
            return CHANGE
        if not r.chunked and context_of(e, i) > left and c.k > 0:
            return 1
    return verdict


@njit()
def rank_again(rank: Any, e: Engine, waiting: Any) -> None:
    """Order the queue anew; who has given up goes."""
    waiting[:] = [(rank(see(e, 0, 0), e.p, i), i) for _, i in waiting if e.jobs[i].status != CANCELLED]
    heapq.heapify(waiting)


@njit()
def start_some(rank: Any, admit: Any, limit: Any, e: Engine, waiting: Any, skipped: Any) -> None:
    """Ask for the head of the queue, and go on while it starts and there is a place and some budget."""
    c, r, before = e.clock[0], e.rules[0], e.clock[0].k
    need, left = plan_chunks(e)
    if not r.together:
        need, left = 0, r.budget
    while len(waiting) > 0 and left > 0 and c.k + c.late < r.sequences and not (r.static and before > 0):
        i = waiting[0][1]
        if e.jobs[i].status == CANCELLED:
            heapq.heappop(waiting)
            continue
        if i == c.head and c.step < c.retry and not c.changed:
            break
        verdict = verdict_on(admit, e, i, need, left)
        if verdict == RERANK:
            rank_again(rank, e, waiting)
            continue
        if verdict == SKIP:
            skipped.append(heapq.heappop(waiting))
            continue
        if verdict != START:
            c.head, c.retry, c.changed = i, c.step + max(1, verdict), False
            break
        heapq.heappop(waiting)
        tokens = e.output[i] - e.requests[i].generated
        if e.own & LIMITS:
            tokens = min(tokens, max(1, limit(see(e, need, 0), e.p, i)))
        left -= enter(e, i, left if r.chunked else max(left, context_of(e, i)), tokens)
    if len(skipped) > 0:
        while len(skipped) > 0:
            heapq.heappush(waiting, skipped.pop())
        c.head, c.retry, c.changed = waiting[0][1], c.step + 1, False


@njit()
def sample(e: Engine, queue: int, every: float) -> None:
    """Note the load for every sampling time that has passed."""
    c = e.clock[0]
    while c.samples < len(e.curve) and c.now >= c.samples * every:
        row = e.curve[c.samples]
        row[0], row[1], row[2], row[3] = c.samples * every, c.k, queue, e.rules[0].blocks - c.free
        c.samples += 1


@njit()
def next_heard(e: Engine, clocked: int, coming: Any, alarms: Any) -> float:
    """The next time at which a request comes or a client gives up."""
    c, when = e.clock[0], math.inf
    if c.arrived < clocked:
        when = e.requests[c.arrived].arrival
    if len(coming) > 0:
        when = min(when, coming[0][0])
    if len(alarms) > 0:
        when = min(when, alarms[0][0])
    return when


@njit()
def idle_until(e: Engine, waiting: Any, when: float) -> None:
    """With nobody running, go on to the next thing that happens; for a refused request steps pass all the same."""
    c = e.clock[0]
    most = c.retry - c.step if len(waiting) > 0 and waiting[0][1] == c.head else FOREVER
    if c.evicted > 0:
        most = 1
    step = decode_base(e.law, 1)
    if most >= CHANGE:
        if not when < math.inf:
            c.status = STUCK
            return
        c.now = when if when > c.now else c.now + step
        c.step += 1
    else:
        steps = steps_until(step, 0.0, most, when - c.now) if when < math.inf else most
        c.now += steps * step
        c.step += steps
    c.seen = c.now


@njit()
def advance(select: Any, e: Engine, waiting: Any, when: float) -> None:
    """The next step, or as many as nothing can disturb."""
    c, r, resting = e.clock[0], e.rules[0], 0
    if r.selects:
        resting = keep_selected(e, select(see(e, 0, 0), e.p, e.out))
    elif not r.together and c.filling > 0:
        resting = c.k - c.filling
    elif c.k - c.filling > r.budget:
        resting = keep_oldest(e)
    if resting < 0:
        c.status, c.fault = NOT_RUNNING, resting
    elif c.filling > 0 or resting > 0:
        single_step(e, resting)
    else:
        most = c.due - c.step
        if len(waiting) > 0 and waiting[0][1] == c.head:
            most = min(most, c.retry - c.step)
        if c.evicted > 0 or c.late > 0 or r.selects:
            most = 1
        decode_stretch(e, max(1, most), when)


@late(njit(types.Array(INT, 2, "C")(*_HOOKS, _ENGINE, INT, types.float64, INTS)))
def run(rank, admit, evict, limit, select, wake, predict, learn, e, clocked, every, progress):
    """Serve every request; the first ``clocked`` arrive by the clock, the others after a turn of their session.

    What a run leaves behind is in the engine's arrays; the attempts, shape (a, 4), are returned: id, first step,
    last step, tokens kept before. ``every`` seconds the load is sampled, if above 0.
    """
    c, r, n = e.clock[0], e.rules[0], len(e.output)
    waiting, skipped, coming, alarms = [(0.0, 0)], [(0.0, 0)], [(0.0, 0)], [(0.0, 0)]
    for queue in (waiting, skipped, coming, alarms):
        queue.pop()
    attempts = [(0, c.step, c.step, c.step)]
    attempts.pop()
    while c.done < n and c.status == OK:
        c.events += 1
        c.evicted = 0
        if c.late > 0:
            settle(e)
        if c.due <= c.step or (c.k > 0 and e.running[0].end <= c.step):
            depart(rank, learn, e, waiting, attempts, coming)
            if c.k == 0:
                settle(e)
        if next_heard(e, clocked, coming, alarms) <= c.now:
            hear(rank, predict, e, clocked, waiting, coming, alarms, attempts)
        if not r.together:  # prompts have steps of their own, before decodes
            start_some(rank, admit, limit, e, waiting, skipped)
        if (r.together or c.filling == 0) and (c.filling > 0 or c.free < c.k):  # else a block each is there
            make_room(rank, evict, e, waiting, attempts)
        asked = len(waiting) > 0 and (c.changed or waiting[0][1] != c.head or c.step >= c.retry)
        if asked and r.together and c.evicted == 0 and c.k + c.late < r.sequences:
            start_some(rank, admit, limit, e, waiting, skipped)
        if every > 0.0:
            sample(e, len(waiting), every)
        if c.done == n or c.status != OK:
            break
        when = next_heard(e, clocked, coming, alarms)
        if e.own & WAKES:
            when = min(when, wake(see(e, needed(e.residue, c.step + 1), 0), e.p))
        if c.k == 0:
            idle_until(e, waiting, when)
        else:
            advance(select, e, waiting, when)
        if c.churn > _CHURN:
            c.status = CHURN
        elif progress[1] != 0:
            c.status = STOPPED
        progress[0], progress[2], progress[3] = c.done, int(c.now), (r.blocks - c.free) * r.block
    settle(e)
    log = np.empty((len(attempts), 4), np.int64)
    for x in range(len(attempts)):
        log[x, 0], log[x, 1], log[x, 2], log[x, 3] = attempts[x]
    return log
