"""How a request joins the running batch of the serving host, sits out a step, and leaves."""

from __future__ import annotations

import math

from ..jit import bare
from .engine import DECODES, FOREVER, IN_BATCH, Engine, context_of
from .paged import blocks_of
from .prefix import allocate, fill, give, join, release


@bare()
def room_for(e: Engine, i: int) -> int:
    """Blocks of request i's context when it starts, or of all that is reserved for it."""
    r = e.rules[0]
    return blocks_of(e.requests[i].prompt + 1 + r.reserve if r.reserve > 0 else context_of(e, i), r.block)


@bare(forceinline=True)
def enter(e: Engine, i: int, left: int, tokens: int) -> int:
    """Start request i with as much of its context as ``left`` tokens allow; return that much.

    It leaves after ``tokens`` output tokens.
    """
    c, r, job, request = e.clock[0], e.rules[0], e.jobs[i], e.requests[i]
    context, hits, got = context_of(e, i), 0, 0
    if r.cached:
        hits = join(e, i)
        got = min(max(hits * r.block, job.granted), (context - 1) // r.block * r.block)
    job.computed, job.chunk = got, min(context - got, left)
    place = blocks_of(got + job.chunk, r.block) if r.reserve == 0 else room_for(e, i)
    job.placed = max(hits, place)
    allocate(e, job.placed - hits)
    if r.cached:
        fill(e, i, job.placed)
    c.hits += got
    if request.evictions > 0:
        c.recomputed += context - got
        job.waited += c.now - job.last_token
    else:
        job.waited = c.now - request.arrival
    e.filling[c.filling] = i
    c.filling += 1
    job.begun, job.offset, job.status, job.start = c.step, context - c.step - 1, IN_BATCH, c.now
    insert(e, i, c.step + max(1, math.ceil(request.predicted) - request.generated), c.step + tokens)
    request.turn = c.started
    c.started += 1
    return job.chunk


@bare()
def insert(e: Engine, i: int, end: int, due: int) -> None:
    """Note request i among the running ones."""
    c, running = e.clock[0], e.running
    x = c.k
    while x > 0 and running[x - 1].end > end:
        running[x] = running[x - 1]
        e.due[x] = e.due[x - 1]
        x -= 1
    running[x].id = i
    running[x].end = end
    running[x].offset = e.jobs[i].offset
    e.due[x] = due
    c.k += 1
    c.due = min(c.due, due)


@bare()
def take_due(e: Engine) -> int:
    """Move the ids of the running requests that leave after this step to ``out``; return their count.

    Those that stay although predicted to be done are now predicted to need one more token.
    """
    c, running = e.clock[0], e.running
    left, kept, first = 0, 0, FOREVER
    for x in range(c.k):
        if e.due[x] <= c.step:
            e.out[left] = running[x].id
            left += 1
            continue
        if left > 0:
            running[kept] = running[x]
            e.due[kept] = e.due[x]
        if running[kept].end <= c.step:
            running[kept].end = c.step + 1
        first = min(first, e.due[kept])
        kept += 1
    c.k, c.due = kept, first
    return left


@bare()
def take(e: Engine, count: int) -> bool:
    """Remove the requests ``out[:count]`` from the running ones; False, and nothing removed, if one is not there."""
    c, running = e.clock[0], e.running
    found = 0
    for this in running[: c.k]:
        found += named(e, this.id, count)
    if found != count:
        return False
    kept, first = 0, FOREVER
    for x in range(c.k):
        if not named(e, running[x].id, count):
            running[kept] = running[x]
            e.due[kept] = e.due[x]
            first = min(first, e.due[kept])
            kept += 1
    c.k, c.due = kept, first
    return True


@bare()
def named(e: Engine, i: int, count: int) -> bool:
    """True if request i is among ``out[:count]``."""
    for y in range(count):  # noqa: SIM110 (a generator does not compile)
        if e.out[y] == i:
            return True
    return False


@bare()
def leave(e: Engine, i: int, late: bool) -> None:
    """Take request i, no longer in ``running``, out of the books; its blocks are freed now, or a step later."""
    c, r, job = e.clock[0], e.rules[0], e.jobs[i]
    if job.computed != DECODES:
        x = 0
        while e.filling[x] != i:
            x += 1
        for y in range(x, c.filling - 1):
            e.filling[y] = e.filling[y + 1]
        c.filling -= 1
    else:
        c.held -= job.offset
        if r.reserve == 0:
            e.residue[job.offset % r.block] -= 1
            job.placed = blocks_of(job.offset + c.step, r.block)
        job.computed = job.offset + c.step
    if late:
        e.late[c.late] = i
        c.late += 1
    else:
        free(e, i)


@bare()
def free(e: Engine, i: int) -> None:
    """Give the blocks of request i back."""
    if e.rules[0].cached:
        release(e, i, e.jobs[i].placed, e.jobs[i].computed // e.rules[0].block)
    else:
        give(e, e.jobs[i].placed)


@bare()
def settle(e: Engine) -> None:
    """Give back the blocks of the requests that finished a step ago."""
    c = e.clock[0]
    for i in e.late[: c.late]:
        free(e, i)
    c.changed = c.changed or c.late > 0
    c.late = 0


@bare()
def give_way(e: Engine) -> bool:
    """Give back at once the blocks of a request whose last token is in flight, if it is the newest; True if one was.

    To a scheduler that runs a step ahead it still runs, and the newest is preempted first.
    """
    c, newest = e.clock[0], 0
    if c.late == 0:
        return False
    for y in range(1, c.late):
        if e.requests[e.late[y]].turn > e.requests[e.late[newest]].turn:
            newest = y
    i = e.late[newest]
    for this in e.running[: c.k]:
        if e.requests[this.id].turn > e.requests[i].turn:
            return False
    c.late -= 1
    e.late[newest] = e.late[c.late]
    c.evicted += 1
    free(e, i)
    return True


@bare()
def rest(e: Engine, x: int) -> None:
    """Leave running request x out of the step: everything about it comes a step later."""
    c, r, this = e.clock[0], e.rules[0], e.running[x]
    job = e.jobs[this.id]
    if job.computed == DECODES:
        c.held -= 1
        if r.reserve == 0:
            e.residue[job.offset % r.block] -= 1
            e.residue[(job.offset - 1) % r.block] += 1
    job.offset -= 1
    this.offset -= 1
    this.end += 1
    e.due[x] += 1


@bare()
def resort(e: Engine) -> None:
    """Restore the order by predicted end, and the first departure, after some requests sat out a step."""
    c, running = e.clock[0], e.running
    first = e.due[0] if c.k > 0 else FOREVER
    for x in range(1, c.k):
        i, end, offset, due = running[x].id, running[x].end, running[x].offset, e.due[x]
        first = min(first, due)
        y = x
        while y > 0 and running[y - 1].end > end:
            running[y] = running[y - 1]
            e.due[y] = e.due[y - 1]
            y -= 1
        running[y].id = i
        running[y].end = end
        running[y].offset = offset
        e.due[y] = due
    c.due = first
