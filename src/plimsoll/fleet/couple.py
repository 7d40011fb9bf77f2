"""Routing with every replica's state at the instant of each arrival: the replicas advance together.

Before a request is routed, each replica that has anything to do goes on to the end of the step that it is in at
that instant; the request joins the chosen one when it would have in the serving host. A router sees what that step
leaves behind but for the requests that finish with it: they are still there.
"""

from __future__ import annotations

import math
from typing import Any

from numba import from_dtype, types

from ..host.engine import CLOCK, DONE, JOB, NODE, NONE, RULES, tokens_of
from ..host.places import settle
from ..host.queue import ENTRY, push
from ..host.steps import OK, serve
from ..jit import bare, late
from ..policy.protocol import function_types
from ..policy.view import FLOAT, FLOATS, INT, INTS, REQUESTS, RUNNING, TABLE
from ..steptime.kernel import decode_base, prefill_seconds
from .pool import BUCKETS, Pool, replica
from .routers import MATCH, WORK
from .routers import REQUESTS as BY_REQUESTS

_FOREVER = 1 << 62
_HOOKS = function_types("rank", "admit", "evict", "limit", "select", "wake", "predict", "learn")


def _array(kind: Any, dimensions: int) -> Any:
    return types.Array(kind, dimensions, "C")


_POOL = types.NamedTuple(
    (
        *(_array(from_dtype(RULES), 1), _array(from_dtype(CLOCK), 1), TABLE, INT, REQUESTS, INTS),
        *(_array(from_dtype(JOB), 1), _array(from_dtype(RUNNING), 2), *[_array(INT, 2)] * 5),
        *(_array(from_dtype(NODE), 2), _array(INT, 2), TABLE, _array(FLOAT, 3), FLOATS, TABLE, TABLE, FLOATS, TABLE),
        *(TABLE, _array(INT, 2), *[_array(from_dtype(ENTRY), 2)] * 4, _array(INT, 3)),
        *(INTS, INTS, INTS, FLOATS, INTS, TABLE, FLOATS, INTS, INTS, FLOATS, _array(FLOAT, 3), _array(FLOAT, 3), INTS),
    ),
    Pool,
)


@bare()
def bucket_of(volume: float) -> int:
    """The bucket of a volume: its power of two."""
    return min(BUCKETS - 1, int(math.log2(max(1.0, volume))))


@bare()
def tally(p: Pool, r: int, i: int, sign: float) -> None:
    """Count request i in or out at replica r."""
    there, b = p.inside[r], bucket_of(p.weight[i])
    there[0, b] += sign
    there[1, b] += sign * p.weight[i]
    there[2, b] += sign * (p.requests[i].prompt + 1)


@bare()
def notice(p: Pool, r: int, looks: int) -> None:
    """What the router knows of replica r after it has gone on."""
    c, active = p.clock[r], p.active[r]
    p.load[r] = float(p.sent[r] - c.done)
    if looks == BY_REQUESTS:
        return
    while p.seen[r] < c.logged:
        i = p.log[r, p.seen[r], 0]
        p.seen[r] += 1
        if p.jobs[i].status == DONE and p.weight[i] > 0.0:
            tally(p, r, i, -1.0)
            p.weight[i] = 0.0
            if p.jobs[i].next_turn != NONE:
                tally(p, r, p.jobs[i].next_turn, 1.0)
    e = replica(p, r)
    active[:] = 0.0
    made, spent = 0, 0.0
    for x in range(c.k):
        i = p.running[r, x].id
        done = p.requests[i].generated + tokens_of(e, i)
        b = bucket_of(p.weight[i])
        active[0, b] += 1.0
        active[1, b] += p.weight[i]
        spent += min(p.weight[i], p.requests[i].prompt * done + 0.5 * done * (done + 1.0))
        made += done
    if looks == WORK:
        p.load[r] = (p.inside[r, 1].sum() - spent) / p.speed[r]
    else:
        p.load[r] = (p.inside[r, 2].sum() + made) / p.room[r]


@bare()
def added(p: Pool, r: int, i: int) -> float:
    """What request i adds to the latencies of all at replica r, seconds.

    Its wait, where memory is promised away, for smaller volumes that wait and its own share; its prompt, which holds
    up everybody there as theirs hold up it; its steps as long as they are now; what it adds to the steps of those
    that run; and the delay of larger volumes that wait.
    """
    c, rules, law = p.clock[r], p.rules[r], p.law[r]
    v, s, o = p.weight[i], p.requests[i].prompt + 1.0, p.requests[i].predicted
    ahead, behind, queue, own = 0.0, 0.0, 0.0, bucket_of(v)
    for b in range(BUCKETS):
        share = 1.0 if b < own else 0.5 if b == own else 0.0
        ahead += share * (p.inside[r, 1, b] - p.active[r, 1, b])
        behind += (1.0 - share) * (p.inside[r, 0, b] - p.active[r, 0, b])
        queue += p.inside[r, 0, b] - p.active[r, 0, b]
    wait = (ahead + v) / p.speed[r] if p.load[r] * p.room[r] + s + o > p.room[r] else 0.0
    held = float((rules.blocks - c.free) * rules.block)
    prompt = prefill_seconds(law, c.k, held, c.k + 1, s, s * s, 0.0, 0.0)
    if c.k > 0:
        prompt -= decode_base(law, c.k) + law[0] * held
    base = decode_base(law, c.k + 1)
    steps = o * (base + law[0] * (held + s + 0.5 * o))
    slower = c.k * (law[0] * v + o * (base - decode_base(law, max(1, c.k))))
    return wait + (1.0 + c.k + queue) * prompt + steps + slower + v * behind / p.speed[r]


@bare()
def choose(p: Pool, i: int, looks: int, two: bool) -> int:
    """The replica for request i: the least of what the router goes by among those that it fits; the first of equals."""
    count, best, least = len(p.clock), NONE, math.inf
    first, second = NONE, NONE
    if two:
        first = int(p.draws[i, 0] * count)
        second = (first + 1 + int(p.draws[i, 1] * (count - 1))) % count
        if p.peak[i] > max(p.room[first], p.room[second]):
            first = NONE  # neither has the room: look at all
    for r in range(count):
        if p.peak[i] > p.room[r] or (first != NONE and r != first and r != second):
            continue
        value = added(p, r, i) if looks == MATCH else p.load[r]
        if value < least:
            best, least = r, value
    return best


@late(bare(INT(*_HOOKS, _POOL, INT, INT, types.bool_, INTS)))
def route(rank, admit, evict, limit, select, wake, predict, learn, p, clocked, looks, two, progress):
    """Route the first ``clocked`` requests as they come and serve all; the replica whose status is not OK, or NONE.

    It goes on from where it stopped when it is called again.
    """
    while p.next[0] < clocked:
        i = p.next[0]
        now = p.requests[i].arrival
        for r in range(len(p.clock)):
            c = p.clock[r]
            if c.now < now and c.done < p.sent[r]:
                serve(
                    rank, admit, evict, limit, select, wake, predict, learn, replica(p, r), 0, 0.0, _FOREVER, now,
                    progress,
                )  # fmt: skip
                if c.status != OK:
                    return r
                notice(p, r, looks)
        chosen = choose(p, i, looks, two)
        turn = i
        while turn != NONE:
            p.place[turn] = chosen
            turn = p.jobs[turn].next_turn
        push(p.coming[chosen], now, i)
        p.sent[chosen] += p.chain[i]
        tally(p, chosen, i, 1.0)
        notice(p, chosen, looks)
        p.next[0] += 1
        progress[0] = i
    for r in range(len(p.clock)):
        c = p.clock[r]
        if c.done < p.sent[r]:
            serve(
                rank, admit, evict, limit, select, wake, predict, learn, replica(p, r), 0, 0.0, p.sent[r], math.inf,
                progress,
            )  # fmt: skip
            if c.status != OK:
                return r
        settle(replica(p, r))
    return NONE
