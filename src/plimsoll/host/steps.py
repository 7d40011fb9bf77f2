"""The serving host's event loop: vLLM V1's step rules in seconds, without touching every request at every step.

At a step: running requests first, each its next token or its next chunk; when the blocks do not suffice, the policy
names who gives them back; if nobody had to, waiting requests start from the head of the queue while the budget, the
places and the blocks last. While the batch only decodes, its composition can change only at an arrival, a completion,
a full pool, or when the policy asks to be asked: the loop goes from one of these to the next.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from numba import types

from ..jit import njit
from ..policy.protocol import CHANGE, SKIP, START, function_types
from ..policy.view import BATCH, FLOAT, FLOATS, INT, INTS, REQUESTS, TABLE, History
from ..steptime.kernel import decode_base
from .advance import decode_stretch, keep_oldest, keep_selected, single_step
from .batch import ABSENT, State, soonest, take, take_due
from .engine import (
    BLOCKS, BUDGET, CANCELLED, CHUNKED, DECODING, DONE, FILLING, HELD, IN_BATCH, LATE, NOW, RUNNING, SEEN, SEQUENCES,
    STATIC, STEP, TOGETHER, WAITING, WATERMARK, Engine, context_of, enter, exit, is_filling, plan_chunks, room_for, see,
    settle,
)  # fmt: skip
from .paged import needed, steps_until
from .prefix import FREE, NONE, Cache
from .rounds import logged, rejoin

OK, STUCK, CHURN, LATEST, OVERFULL, NOT_RUNNING, NAN, STOPPED = range(8)
FOREVER = CHANGE << 1
HEAD, RETRY = 0, 1
_CHURN = 10_000  # overflows in a row without a completion: the run repeats itself

_HOOKS = function_types("rank", "admit", "evict", "limit", "select", "wake", "predict", "learn")
_STATE = types.NamedTuple(
    (REQUESTS, INTS, BATCH, INTS, INTS, TABLE, TABLE, FLOATS, TABLE, FLOATS, INTS), State
)
_ENGINE = types.NamedTuple(
    (INTS, FLOATS, INTS, FLOATS, *[INTS] * 9, TABLE, FLOATS, INTS, FLOATS, INTS, FLOATS, FLOATS, TABLE), Engine
)
_CACHE = types.NamedUniTuple(INTS, 12, Cache)
_RESULT = types.Tuple((INT, INT, types.Array(INT, 2, "C"), FLOATS))


@njit()
def history(state: State, engine: Engine) -> History:
    """What the predictor sees now."""
    k = engine.count[RUNNING]
    return History(
        engine.clock[NOW], engine.count[STEP], state.requests, state.running[:k], state.survival, state.facts, state.notes
    )


@njit()
def tokens_of(state: State, engine: Engine, i: int) -> int:
    """Tokens that a running request has produced in this attempt."""
    if is_filling(engine, i):
        return 0
    return engine.offset[i] + engine.count[STEP] - state.requests[i].prompt - state.requests[i].generated


@njit()
def put_back(state: State, engine: Engine, cache: Cache, i: int) -> None:
    """Take a running request's memory; its tokens are kept, their KV is computed again later."""
    step, tokens = engine.count[STEP], tokens_of(state, engine, i)
    exit(state, engine, cache, i, False)
    rejoin(state, i, step, step - tokens, True)
    engine.stopped[i] = engine.clock[NOW]
    engine.status[i] = WAITING


@njit()
def arrive(rank, predict, p, q, state: State, engine: Engine, cache: Cache, i: int, waiting, alarms) -> bool:
    """Let request i join the waiting queue; False if its rank is not a number."""
    predict(history(state, engine), q, i)
    place = rank(see(state, engine, cache, 0, 0, 0), p, i)
    heapq.heappush(waiting, (place, i))
    engine.status[i] = WAITING
    if engine.deadline[i] < math.inf:
        heapq.heappush(alarms, (state.requests[i].arrival + engine.deadline[i], i))
    return not math.isnan(place)


@njit()
def finish(learn, q, state: State, engine: Engine, cache: Cache, i: int, coming) -> None:
    """Note that a request, no longer among the running ones, has all its tokens; its session goes on."""
    exit(state, engine, cache, i, engine.rules[LATE] == 1)
    engine.times[i, 2] = engine.clock[NOW]
    engine.status[i] = DONE
    learn(history(state, engine), q, i, state.output[i])
    follow(engine, i, coming)


@njit()
def follow(engine: Engine, i: int, coming) -> None:
    """Plan the next turn of request i's session."""
    turn = engine.next_turn[i]
    if turn != NONE:
        heapq.heappush(coming, (engine.clock[NOW] + engine.think[turn], turn))


@njit()
def give_up(state: State, engine: Engine, cache: Cache, i: int, coming) -> bool:
    """The client of request i goes away; True if it was still here, waiting or running."""
    was = engine.status[i]
    if was != WAITING and was != IN_BATCH:
        return False
    if was == IN_BATCH:
        state.out[0] = i
        take(state, engine.count[RUNNING], 1)
        engine.count[RUNNING] -= 1
        exit(state, engine, cache, i, False)
    engine.status[i] = CANCELLED
    follow(engine, i, coming)
    return True


@njit()
def make_room(evict, rank, p, state: State, engine: Engine, cache: Cache, waiting, log, attempts: int):
    """While the next step needs more blocks than are free, ask the policy who gives theirs back.

    Returns
    -------
    log, attempts, the number evicted, and the request at fault or -1.
    """
    count, evicted = engine.count, 0
    need = plan_chunks(state, engine)[0]
    while need > cache.pool[FREE]:
        some = evict(see(state, engine, cache, need, 0, evicted), p, state.out)
        k = count[RUNNING]
        if not 0 < some <= k or take(state, k, some) == ABSENT:
            return log, attempts, evicted, some
        count[RUNNING] -= some
        for x in range(some):
            i = state.out[x]
            log = logged(log, attempts, i, engine.begun[i], count[STEP], state.requests[i].generated)
            attempts += 1
            put_back(state, engine, cache, i)
            heapq.heappush(waiting, (rank(see(state, engine, cache, 0, 0, evicted), p, i), i))
        evicted += some
        need = plan_chunks(state, engine)[0]
    return log, attempts, evicted, -1


@njit()
def may_start(state: State, engine: Engine, left: int, batch: int) -> bool:
    """True if the engine itself would look at the head of the queue: a place, some budget, an open batch."""
    count, rules = engine.count, engine.rules
    if count[RUNNING] + count[HELD] >= rules[SEQUENCES] or left <= 0:
        return False
    return rules[STATIC] == 0 or batch == 0


@njit()
def start_waiting(admit, limit, p, state: State, engine: Engine, cache: Cache, waiting, skipped, memo, changed: bool) -> None:
    """Admit from the head of the queue; ``memo`` holds the head that was refused, and when to ask again."""
    count, rules, step, batch = engine.count, engine.rules, engine.count[STEP], engine.count[RUNNING]
    need, left = plan_chunks(state, engine)
    if rules[TOGETHER] == 0:
        need, left = 0, rules[BUDGET]
    while len(waiting) > 0 and may_start(state, engine, left, batch):
        i = waiting[0][1]
        if engine.status[i] == CANCELLED:
            heapq.heappop(waiting)
            continue
        if i == memo[HEAD] and step < memo[RETRY] and not changed:
            break
        wanted, shared, reserved = room_for(state, engine, cache, i)
        verdict = admit(see(state, engine, cache, need, shared, 0), p, i)
        if verdict == SKIP:
            skipped.append(heapq.heappop(waiting))
            continue
        kept = rules[WATERMARK] if count[RUNNING] > 0 else 0
        if verdict == START and wanted - shared > cache.pool[FREE] - need - kept:
            verdict = CHANGE
        if verdict == START and rules[CHUNKED] == 0 and context_of(state, i) > left and count[RUNNING] > 0:
            verdict = 1
        if verdict != START:
            memo[HEAD], memo[RETRY] = i, step + max(1, verdict)
            changed = False
            break
        heapq.heappop(waiting)
        tokens = min(state.output[i] - state.requests[i].generated, max(1, limit(see(state, engine, cache, need, 0, 0), p, i)))
        most = left if rules[CHUNKED] == 1 else max(left, context_of(state, i))
        left -= enter(state, engine, cache, i, most, tokens, reserved)
    if len(skipped) > 0:
        while len(skipped) > 0:
            heapq.heappush(waiting, skipped.pop())
        memo[HEAD], memo[RETRY] = waiting[0][1], step + 1


@njit()
def skip_idle(engine: Engine, queue: int, most: int, until: float, idle: float) -> int:
    """With nobody running, go on to the next thing that happens; steps of ``idle`` seconds pass for the policy."""
    if queue == 0 or most >= CHANGE:
        if not until < math.inf:
            return STUCK
        seconds = max(until, 0.0)
        engine.count[STEP] += 1
    else:
        steps = steps_until(idle, 0.0, most, until) if until < math.inf else most
        seconds = steps * idle
        engine.count[STEP] += steps
    engine.clock[NOW] += seconds
    engine.clock[SEEN] = engine.clock[NOW]
    return OK


@njit()
def sample(state: State, engine: Engine, cache: Cache, queue: int, samples: int, every: float) -> int:
    """Note the load at this instant for every sampling time that has passed; return the number of samples."""
    used = engine.rules[BLOCKS] - cache.pool[FREE]
    while samples < len(engine.curve) and engine.clock[NOW] >= samples * every:
        row = engine.curve[samples]
        row[0], row[1], row[2], row[3] = samples * every, engine.count[RUNNING], queue, used
        samples += 1
    return samples


@njit()
def quiet(state: State, engine: Engine, waiting, memo) -> int:
    """Steps for which nothing but time can change the batch, at least 1."""
    step = engine.count[STEP]
    most = soonest(state, engine.count[RUNNING]) - step if engine.count[RUNNING] > 0 else FOREVER
    if len(waiting) > 0 and waiting[0][1] == memo[HEAD]:
        most = min(most, memo[RETRY] - step)
    if engine.count[HELD] > 0:
        most = 1
    return max(1, most)


@njit(_RESULT(*_HOOKS, FLOATS, FLOATS, _STATE, _ENGINE, _CACHE, types.boolean, INT, FLOAT, INTS))
def run(
    rank, admit, evict, limit, select, wake, predict, learn, p, q, state, engine, cache, selecting, static, every,
    progress,
):  # fmt: skip
    """Serve every request; the first ``static`` ones arrive by the clock, the others after a turn of their session.

    Returns
    -------
    status, the request at fault, attempts (a, 4), and figures (overflows, events, samples of the curve).
    """
    requests, output, count, clock, rules = state.requests, state.output, engine.count, engine.clock, engine.rules
    n = len(output)
    log, attempts = np.empty((n + 16, 4), np.int64), 0
    waiting, skipped, coming, alarms = [(0.0, 0)], [(0.0, 0)], [(0.0, 0)], [(0.0, 0)]
    waiting.pop(), skipped.pop(), coming.pop(), alarms.pop()
    arrived, done, churn, overflows, events, samples = 0, 0, 0, 0, 0, 0
    status, fault, first_due, idle = OK, -1, FOREVER, decode_base(engine.law, 1)
    memo = np.array([-1, 0])
    while done < n and status == OK:
        events += 1
        step, now, evicted, changed, resting = count[STEP], clock[NOW], 0, count[HELD] > 0, 0
        settle(engine, cache)
        # 1. Completions, and attempts that reach their limit.
        if first_due <= step or (count[RUNNING] > 0 and state.running[0].end <= step):
            left = take_due(state, count[RUNNING], step)
            count[RUNNING] -= left
            changed |= left > 0
            for x in range(left):
                i = state.out[x]
                log = logged(log, attempts, i, engine.begun[i], step, requests[i].generated)
                attempts += 1
                if requests[i].generated + tokens_of(state, engine, i) >= output[i]:
                    finish(learn, q, state, engine, cache, i, coming)
                    done += 1
                    churn = 0
                else:
                    put_back(state, engine, cache, i)
                    heapq.heappush(waiting, (rank(see(state, engine, cache, 0, 0, 0), p, i), i))
        # 2. Arrivals, and clients that give up.
        seen = clock[SEEN] if rules[LATE] == 1 and count[RUNNING] > 0 else now
        while arrived < static and requests[arrived].arrival <= seen:
            if not arrive(rank, predict, p, q, state, engine, cache, arrived, waiting, alarms):
                status, fault = NAN, arrived
            arrived += 1
        while len(coming) > 0 and coming[0][0] <= seen:
            at, i = heapq.heappop(coming)
            requests[i].arrival = at
            if not arrive(rank, predict, p, q, state, engine, cache, i, waiting, alarms):
                status, fault = NAN, i
        while len(alarms) > 0 and alarms[0][0] <= now:
            i = heapq.heappop(alarms)[1]
            if engine.status[i] == IN_BATCH:
                log = logged(log, attempts, i, engine.begun[i], step, requests[i].generated)
                attempts += 1
                changed = True
            done += give_up(state, engine, cache, i, coming)
        # 3. Memory for the next step, then admissions (before it where prompts have steps of their own).
        if rules[TOGETHER] == 0:
            start_waiting(admit, limit, p, state, engine, cache, waiting, skipped, memo, changed)
            resting = count[DECODING] if count[FILLING] > 0 else 0
        if resting == 0:
            log, attempts, evicted, bad = make_room(evict, rank, p, state, engine, cache, waiting, log, attempts)
            if bad != -1:
                status, fault = NOT_RUNNING, bad
        if evicted > 0:
            overflows += 1
            churn += 1
            memo[HEAD] = -1
        elif rules[TOGETHER] == 1 and status == OK:
            start_waiting(admit, limit, p, state, engine, cache, waiting, skipped, memo, changed)
        first_due = soonest(state, count[RUNNING]) if count[RUNNING] > 0 else FOREVER
        if every > 0.0 and samples < len(engine.curve) and now >= samples * every:
            samples = sample(state, engine, cache, len(waiting), samples, every)
        if done == n or status != OK:
            break
        # 4. The next step, or as many as nothing can disturb.
        until = math.inf
        if arrived < static:
            until = requests[arrived].arrival - now
        if len(coming) > 0:
            until = min(until, coming[0][0] - now)
        if len(alarms) > 0:
            until = min(until, alarms[0][0] - now)
        until = min(until, wake(see(state, engine, cache, needed(engine.residue, step + 1), 0, evicted), p) - now)
        most = quiet(state, engine, waiting, memo) if evicted == 0 else 1
        if count[RUNNING] == 0:
            status = skip_idle(engine, len(waiting), most, until, idle)
        else:
            if selecting:
                resting = keep_selected(state, engine, select(see(state, engine, cache, 0, 0, evicted), p, state.out))
            elif resting == 0 and count[DECODING] > rules[BUDGET]:
                resting = keep_oldest(state, engine)
            if resting < 0:
                status = NOT_RUNNING
            elif count[FILLING] > 0 or resting > 0:
                single_step(state, engine, cache, resting)
            else:
                decode_stretch(engine, cache, 1 if selecting else most, until)
            first_due = soonest(state, count[RUNNING])
        if churn > _CHURN:
            status = CHURN
        elif progress[1] != 0:
            status = STOPPED
        progress[0] = done
    return status, fault, log[:attempts], np.array([float(overflows), float(events), float(samples)])
