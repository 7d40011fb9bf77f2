"""The serving host's event loop: vLLM V1's step rules in seconds, without touching every request at every step.

At a step: running requests first, each its next token or its next chunk; when the blocks do not suffice, the policy
names who gives them back; if nobody had to, waiting requests start from the head of the queue while the budget, the
places and the blocks last. While the batch only decodes, its composition can change only at an arrival, a completion,
a full pool, or when the policy asks to be asked: the loop goes from one of these to the next.
"""

from __future__ import annotations

import math
from typing import Any

from numba import from_dtype, types

from ..jit import bare, late
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
from .places import enter, give_way, leave, room_for, settle, take, take_due
from .prefix import cost
from .queue import ENTRY, arrange, pop, push

OK, STUCK, CHURN, NOT_RUNNING, NAN, STOPPED, LOG_FULL = range(7)
LIMITS, WAKES, LEARNS = 1, 2, 4  # bits of ``own``: hooks that the policy or the predictor brings itself
_CHURN = 10_000  # overflows in a row without a completion: the run repeats itself
_TURNS = 1_000  # new orders of the queue in a row, after which nobody starts in this step
_PATIENCE = 100_000  # events in a row in which nothing is computed, and nothing more will happen

_HOOKS = function_types("rank", "admit", "evict", "limit", "select", "wake", "predict", "learn")
_RULES, _CLOCKS, _JOBS, _NODES, _QUEUE = (
    types.Array(from_dtype(kind), 1, "C") for kind in (RULES, CLOCK, JOB, NODE, ENTRY)
)
_ENGINE = types.NamedTuple(
    (
        *(_RULES, _CLOCKS, FLOATS, INT, REQUESTS, INTS, _JOBS, BATCH, INTS, INTS, INTS, INTS, INTS, _NODES, INTS),
        *(FLOATS, TABLE, TABLE, FLOATS, TABLE, FLOATS, FLOATS, TABLE, FLOATS, INTS),
        *(_QUEUE, _QUEUE, _QUEUE, _QUEUE, types.Array(INT, 2, "C")),
    ),
    Engine,
)


@bare()
def note_attempt(e: Engine, i: int) -> None:
    """Note that an attempt of request i ends with this step."""
    c = e.clock[0]
    row = e.log[c.logged]
    row[0], row[1], row[2], row[3] = i, e.jobs[i].begun, c.step, e.requests[i].generated
    c.logged += 1


@bare()
def put_back(rank: Any, e: Engine, i: int) -> None:
    """Take a running request's memory and put it back into the queue: its tokens stay, their KV is computed again."""
    c, job, r = e.clock[0], e.jobs[i], e.requests[i]
    note_attempt(e, i)
    tokens = r.generated + tokens_of(e, i)
    c.lost += job.computed if job.computed != DECODES else job.offset + c.step
    leave(e, i, False)
    r.predicted = max(r.predicted, tokens + 1.0)
    r.lower = max(r.lower, tokens + 1.0)
    r.upper = max(r.upper, r.lower)
    r.evictions += 1
    r.generated = tokens
    job.status, job.last_token = WAITING, c.now
    push(e.waiting, rank(see(e, 0, 0), e.p, i), i)


@bare()
def follow(e: Engine, i: int) -> None:
    """Plan the next turn of request i's session."""
    turn = e.jobs[i].next_turn
    if turn != NONE:
        push(e.coming, e.clock[0].now + e.jobs[turn].think, turn)


@bare(forceinline=True)
def depart(rank: Any, learn: Any, e: Engine) -> None:
    """Completions leave; requests at their limit go back to the queue."""
    c = e.clock[0]
    left = take_due(e)
    for y in range(left):
        i = int(e.out[y])
        if e.requests[i].generated + tokens_of(e, i) < e.output[i]:
            put_back(rank, e, i)
            continue
        note_attempt(e, i)
        leave(e, i, e.rules[0].overlapped)
        e.jobs[i].status, e.jobs[i].finish = DONE, c.now
        c.done += 1
        c.churn = 0
        if e.own & LEARNS:
            learn(past(e), e.q, i, e.output[i])
        follow(e, i)
    c.changed = c.changed or left > 0


@bare()
def arrive(rank: Any, predict: Any, e: Engine, i: int) -> None:
    """Request i joins the queue."""
    c = e.clock[0]
    if e.own & LEARNS:
        predict(past(e), e.q, i)
    place = rank(see(e, 0, 0), e.p, i)
    if math.isnan(place):
        c.status, c.fault = NAN, i
    push(e.waiting, place, i)
    e.jobs[i].status = WAITING
    if e.jobs[i].deadline < math.inf:
        push(e.alarms, e.requests[i].arrival + e.jobs[i].deadline, i)


@bare(forceinline=True)
def hear(rank: Any, predict: Any, e: Engine, clocked: int) -> None:
    """Requests that have come join the queue; clients that give up go."""
    c = e.clock[0]
    seen = c.seen if e.rules[0].overlapped and c.k + c.late > 0 else c.now
    while c.arrived < clocked and e.requests[c.arrived].arrival <= seen:
        arrive(rank, predict, e, int(c.arrived))
        c.arrived += 1
    while e.coming[0].id > 0 and e.coming[1].key <= seen:
        at = e.coming[1].key
        i = pop(e.coming)
        e.requests[i].arrival = at
        arrive(rank, predict, e, i)
    while e.alarms[0].id > 0 and e.alarms[1].key <= c.now:
        i = pop(e.alarms)
        was = e.jobs[i].status
        if was == IN_BATCH:
            note_attempt(e, i)
            e.out[0] = i
            take(e, 1)
            c.lost += e.jobs[i].computed if e.jobs[i].computed != DECODES else e.jobs[i].offset + c.step
            leave(e, i, False)
        if was in (IN_BATCH, WAITING):
            e.jobs[i].status = CANCELLED
            c.changed = True
            c.done += 1
            follow(e, i)


@bare()
def take_back(rank: Any, evict: Any, e: Engine, need: int) -> int:
    """Evict whom the policy names while ``need`` blocks are needed; how many those are, −1 if not all are running."""
    c = e.clock[0]
    c.fault = count = evict(see(e, need, 0), e.p, e.out)
    if count < 0 or count > c.k or not take(e, count):
        c.status = NOT_RUNNING
        return -1
    c.evicted += count
    c.changed = c.changed or count > 0
    for y in range(count):
        put_back(rank, e, int(e.out[y]))
    return count


@bare(forceinline=True)
def make_room(rank: Any, evict: Any, e: Engine) -> None:
    """While the next step needs more blocks than are free, ask the policy who gives theirs back."""
    c = e.clock[0]
    need = plan_chunks(e)[0]
    if need <= c.free:
        return
    while need > c.free:
        if not give_way(e) and take_back(rank, evict, e, need) < 1:
            c.status = NOT_RUNNING
            return
        need = plan_chunks(e)[0]
    c.overflows += 1
    c.churn += 1


@bare()
def rank_again(rank: Any, e: Engine) -> None:
    """Order the queue anew; who has given up goes."""
    view, queue, kept = see(e, 0, 0), e.waiting, 0
    for x in range(1, queue[0].id + 1):
        i = queue[x].id
        if e.jobs[i].status != CANCELLED:
            kept += 1
            queue[kept].key, queue[kept].id = rank(view, e.p, i), i
    queue[0].id = kept
    arrange(queue)


@bare(forceinline=True)
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


@bare(forceinline=True)
def start_some(rank: Any, admit: Any, limit: Any, e: Engine) -> None:
    """Ask for the head of the queue, and go on while it starts and there is a place and some budget."""
    c, r, before = e.clock[0], e.rules[0], e.clock[0].k
    need, left = plan_chunks(e)
    if not r.together:
        need, left = 0, r.budget
    waiting, reranked = e.waiting, 0
    while waiting[0].id > 0 and left > 0 and c.k + c.late < r.sequences and not (r.static and before > 0):
        i = waiting[1].id
        if e.jobs[i].status == CANCELLED:
            pop(waiting)
            continue
        if i == c.head and c.step < c.retry and not (c.changed or e.own & WAKES):
            break
        verdict = verdict_on(admit, e, i, need, left)
        if verdict == RERANK and reranked < _TURNS:
            rank_again(rank, e)
            reranked += 1
            continue
        reranked = 0
        if verdict == SKIP:
            push(e.skipped, waiting[1].key, i)
            pop(waiting)
            continue
        if verdict != START:
            c.head, c.retry, c.changed = i, c.step + max(1, verdict), False
            break
        pop(waiting)
        tokens = e.output[i] - e.requests[i].generated
        if e.own & LIMITS:
            tokens = min(tokens, max(1, limit(see(e, need, 0), e.p, i)))
        left -= enter(e, i, left if r.chunked else max(left, context_of(e, i)), tokens)
    if e.skipped[0].id > 0:
        while e.skipped[0].id > 0:
            push(waiting, e.skipped[1].key, e.skipped[1].id)
            pop(e.skipped)
        c.head, c.retry, c.changed = waiting[1].id, c.step + 1, False


@bare()
def sample(e: Engine, every: float) -> None:
    """Note the load for every sampling time that has passed."""
    c = e.clock[0]
    while c.samples < len(e.curve) and c.now >= c.samples * every:
        row = e.curve[c.samples]
        row[0], row[1], row[2], row[3] = c.samples * every, c.k, e.waiting[0].id, e.rules[0].blocks - c.free
        c.samples += 1


@bare(forceinline=True)
def next_heard(e: Engine, clocked: int) -> float:
    """The next time at which a request comes or a client gives up."""
    c, when = e.clock[0], math.inf
    if c.arrived < clocked:
        when = e.requests[c.arrived].arrival
    if e.coming[0].id > 0:
        when = min(when, e.coming[1].key)
    if e.alarms[0].id > 0:
        when = min(when, e.alarms[1].key)
    return when


@bare()
def refused(e: Engine) -> bool:
    """True if the head of the queue is the request that was last refused."""
    return e.waiting[0].id > 0 and e.waiting[1].id == e.clock[0].head


@bare()
def idle_until(e: Engine, when: float) -> None:
    """With nobody running, go on to the next thing that happens; for a refused request steps pass all the same."""
    c = e.clock[0]
    most = c.retry - c.step if refused(e) else FOREVER
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


@bare(forceinline=True)
def advance(select: Any, e: Engine, when: float) -> None:
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
        if refused(e):
            most = min(most, c.retry - c.step)
        if c.evicted > 0 or c.late > 0 or r.selects:
            most = 1
        decode_stretch(e, max(1, most), when)


@bare()
def serve(rank, admit, evict, limit, select, wake, predict, learn, e, clocked, every, last, until, progress):
    """Go on from where the engine stands until ``last`` requests are done, or to the first step that ends at ``until``.

    What finishes with that step has not left yet.
    """
    c, r, n = e.clock[0], e.rules[0], last
    while c.done < n and c.status == OK and c.now < until:
        c.events += 1
        c.evicted, worked = 0, c.worked
        if c.late > 0:
            settle(e)
        if c.due <= c.step or (c.k > 0 and e.running[0].end <= c.step):
            depart(rank, learn, e)
        if next_heard(e, clocked) <= c.now:
            hear(rank, predict, e, clocked)
        if e.own & WAKES and wake(see(e, needed(e.residue, c.step + 1), 0), e.p) <= c.now:
            take_back(rank, evict, e, 0)
        if not r.together:  # prompts have steps of their own, before decodes
            start_some(rank, admit, limit, e)
        if (r.together or c.filling == 0) and (c.filling > 0 or c.free < c.k):  # else a block each is there
            make_room(rank, evict, e)
        asked = e.waiting[0].id > 0 and (c.changed or not refused(e) or c.step >= c.retry or e.own & WAKES)
        if asked and r.together and c.evicted == 0 and c.k + c.late < r.sequences:
            start_some(rank, admit, limit, e)
        if every > 0.0:
            sample(e, every)
        if c.done == n or c.status != OK:
            break
        if c.k == 0 and c.late > 0:  # nothing to run: the scheduler waits for what is in flight, and looks again
            settle(e)
            continue
        when = heard = min(next_heard(e, clocked), until)
        if e.own & WAKES:
            when = min(when, wake(see(e, needed(e.residue, c.step + 1), 0), e.p))
        if c.k == 0:
            idle_until(e, when)
        else:
            advance(select, e, when)
        c.idle = c.idle + 1 if c.worked == worked else 0
        if c.idle > _PATIENCE and not heard < math.inf:
            c.status = STUCK
        elif c.churn > _CHURN:
            c.status = CHURN
        elif progress[1] != 0:
            c.status = STOPPED
        elif c.status == OK and c.logged + len(e.out) > len(e.log):
            c.status = LOG_FULL
        progress[0], progress[2], progress[3] = c.done, int(c.now), (r.blocks - c.free) * r.block


@late(bare(types.void(*_HOOKS, _ENGINE, INT, types.float64, INTS)))
def run(rank, admit, evict, limit, select, wake, predict, learn, e, clocked, every, progress):
    """Serve every request; the first ``clocked`` arrive by the clock, the others after a turn of their session.

    What a run leaves behind is in the engine's arrays. It stops with status LOG_FULL when the log needs a longer array,
    and goes on from there when it is called again. ``every`` seconds the load is sampled, if above 0.
    """
    n = len(e.output)
    serve(rank, admit, evict, limit, select, wake, predict, learn, e, clocked, every, n, math.inf, progress)
    if e.clock[0].status != LOG_FULL:
        settle(e)
