"""The discrete-round model (arXiv 2502.07115, §2): an event loop that never touches each request at each token.

A request started at epoch k holds s + (t − k) tokens in round t = k + 1 … k + o and completes at k + o; its memory is
free for a request started at that epoch. Between two events (arrival, completion, overflow, wake) the batch is the same
and its use grows by one token per running request a round, so the loop goes from event to event.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from numba import types

from ..jit import njit
from ..policy.protocol import CHANGE, SKIP, START, function_types
from ..policy.view import BATCH, FLOATS, INT, INTS, REQUESTS, TABLE, History
from .batch import ABSENT, State, insert, look, soonest, take, take_due

OK, STUCK, CHURN, LATE, OVERFULL, NOT_RUNNING, NAN, STOPPED = range(8)
FOREVER = CHANGE << 1
_CHURN = 10_000  # overflows in a row without a completion: the run repeats itself

_HOOKS = function_types("rank", "admit", "evict", "limit", "wake", "predict", "learn")
_STATE = types.NamedTuple((REQUESTS, INTS, BATCH, INTS, INTS, TABLE, TABLE, FLOATS, TABLE, FLOATS, INTS), State)
_TIMES = types.Array(INT, 2, "C")
_RESULT = types.Tuple((INT, INT, _TIMES, _TIMES, FLOATS))


@njit()
def rejoin(state: State, i: int, now: int, started: int, recompute: bool) -> None:
    """Note on an evicted request what its attempt taught: its output is longer than the tokens it had."""
    r = state.requests[i]
    tokens = r.generated + now - started
    r.predicted = max(r.predicted, tokens + 1.0)
    r.lower = max(r.lower, tokens + 1.0)
    r.upper = max(r.upper, r.lower)
    r.evictions += 1
    r.generated = tokens if recompute else 0


@njit()
def logged(log, count: int, i: int, started: int, now: int, kept: int):  # pyright: ignore[reportMissingParameterType]
    """Append one attempt (id, start, stop, tokens kept before it) to the growing log."""
    if count == len(log):
        longer = np.empty((2 * count, 4), np.int64)
        longer[:count] = log
        log = longer
    log[count, 0], log[count, 1], log[count, 2], log[count, 3] = i, started, now, kept
    return log


@njit(_RESULT(*_HOOKS, FLOATS, FLOATS, _STATE, types.boolean, INT, INT, INTS))
def run(rank, admit, evict, limit, wake, predict, learn, p, q, state, recompute, capacity, max_rounds, progress):
    """Schedule every request; see ``simulate`` for the meaning of what comes back.

    Returns
    -------
    status, the request at fault, times (n, 3: last start, first token, finish; −1 where never), attempts (a, 4), and
    figures (peak tokens, Σ use over all rounds, last round, overflows, events).
    """
    requests, output = state.requests, state.output
    n = len(requests)
    times = np.full((n, 3), -1, np.int64)
    log, attempts = np.empty((n + 16, 4), np.int64), 0
    waiting = [(0.0, 0)]
    waiting.pop()
    skipped = [(0.0, 0)]
    skipped.pop()
    now, arrived, done, k, held, turn, first_due = int(requests[0].arrival), 0, 0, 0, 0, 0, FOREVER
    head, retry, churn, overflows, events, status, fault = -1, 0, 0, 0, 0, OK, -1
    peak, area = 0, 0.0
    while done < n and status == OK:
        events += 1
        evicted, changed = 0, False
        left = take_due(state, k, now) if first_due <= now or (k > 0 and state.running[0].end <= now) else 0
        for y in range(left):
            i = state.out[y]
            held -= requests[i].prompt + requests[i].generated - times[i, 0]
            log = logged(log, attempts, i, times[i, 0], now, requests[i].generated)
            attempts += 1
        k -= left
        for y in range(left):
            i = state.out[y]
            if requests[i].generated + now - times[i, 0] >= output[i]:
                times[i, 2] = now
                done += 1
                churn = 0
                learn(
                    History(float(now), now, requests, state.running[:k], state.survival, state.facts, state.notes),
                    q,
                    i,
                    output[i],
                )
            else:
                rejoin(state, i, now, times[i, 0], recompute)
                heapq.heappush(waiting, (rank(look(state, now, k, held, capacity, 0), p, i), i))
        if left > 0:
            changed = True
        while arrived < n and requests[arrived].arrival <= now:
            predict(
                History(float(now), now, requests, state.running[:k], state.survival, state.facts, state.notes),
                q,
                arrived,
            )
            place = rank(look(state, now, k, held, capacity, 0), p, arrived)
            if math.isnan(place):
                status, fault = NAN, arrived
            heapq.heappush(waiting, (place, arrived))
            arrived += 1
        while held + k * (now + 1) > capacity and status == OK:
            count = evict(look(state, now, k, held, capacity, evicted), p, state.out)
            freed = take(state, k, count) if 0 < count <= k else ABSENT
            if freed == ABSENT:
                status, fault = NOT_RUNNING, count
                break
            k -= count
            held -= freed
            for y in range(count):
                i = state.out[y]
                log = logged(log, attempts, i, times[i, 0], now, requests[i].generated)
                attempts += 1
                rejoin(state, i, now, times[i, 0], recompute)
                heapq.heappush(waiting, (rank(look(state, now, k, held, capacity, evicted), p, i), i))
            evicted += count
            changed = True
        if evicted > 0:
            overflows += 1
            churn += 1
        while len(waiting) > 0 and status == OK:
            i = waiting[0][1]
            if i == head and now < retry and not changed:
                break
            view = look(state, now, k, held, capacity, evicted)
            verdict = admit(view, p, i)
            if verdict == SKIP:
                skipped.append(heapq.heappop(waiting))
                continue
            if verdict != START:
                head, retry = i, now + max(1, verdict)
                changed = False
                break
            r = requests[i]
            if r.prompt + r.generated > view.free:
                status, fault = OVERFULL, i
                break
            heapq.heappop(waiting)
            needs = output[i] - r.generated
            due = now + min(needs, max(1, limit(view, p, i)))
            base = r.prompt + r.generated - now
            insert(state, k, i, now + max(1, math.ceil(r.predicted) - r.generated), base, due)
            held += base
            k += 1
            r.turn = turn
            turn += 1
            times[i, 0] = now
            if r.generated == 0:
                times[i, 1] = now + 1
        if len(skipped) > 0:
            while len(skipped) > 0:
                heapq.heappush(waiting, skipped.pop())
            head, retry = waiting[0][1], now + 1
        first_due = soonest(state, k) if k > 0 else FOREVER
        following = first_due
        if k > 0:
            following = min(following, max(now + 1, (capacity - held) // k))
        if arrived < n:
            following = min(following, max(now + 1, int(requests[arrived].arrival)))
        if len(waiting) > 0:
            following = min(following, max(now + 1, retry))
        call = wake(look(state, now, k, held, capacity, evicted), p)
        if call < following:
            following = max(now + 1, math.ceil(call))
        if status != OK or done == n:
            break
        if following >= CHANGE:
            status = STUCK
        elif churn > _CHURN:
            status = CHURN
        elif following > max_rounds:
            status = LATE
        elif progress[1] != 0:
            status = STOPPED
        else:
            rounds = following - now
            area += held * rounds + k * (rounds * (now + following + 1) / 2)
            peak = max(peak, held + k * following)
            now = following
            progress[0] = done
    figures = np.array([float(peak), area, float(now), float(overflows), float(events)])
    return status, fault, times, log[:attempts], figures
