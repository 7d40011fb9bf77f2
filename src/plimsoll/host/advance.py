"""Steps of the serving host: one with prompt tokens, or a whole stretch of decodes at once."""

from __future__ import annotations

import math

from ..jit import bare
from ..steptime.kernel import decode_base, prefill_seconds
from .engine import DECODES, IN_BATCH, Engine, context_of
from .paged import affordable, blocks_of, needed, steps_until, stretch_seconds, taken
from .places import resort, rest
from .prefix import allocate, fill
from .queue import pop, push

GAP_BINS, GAP_FLOOR, GAP_WIDTH = 2100, 1e-5, 0.01
"""Inter-token times are counted in bins one per cent wide, from ten microseconds up."""


@bare()
def note_gap(e: Engine, seconds: float, count: float) -> None:
    """Count ``count`` inter-token times of ``seconds``."""
    place = int(math.log(max(seconds, GAP_FLOOR) / GAP_FLOOR) / GAP_WIDTH)
    e.gaps[min(place, GAP_BINS - 1)] += count


@bare()
def pass_time(e: Engine, used: int, seconds: float, last: float) -> None:
    """Let ``seconds`` go by, the last step of which takes ``last``; ``used`` blocks were held at their start."""
    c, r = e.clock[0], e.rules[0]
    still = r.blocks - c.free
    c.area += 0.5 * (used + still) * r.block * seconds
    c.peak = max(c.peak, still)
    c.busy += seconds
    c.now += seconds
    c.seen = c.now - last


@bare(forceinline=True)
def decode_stretch(e: Engine, most: int, until: float) -> None:
    """Advance by up to ``most`` decode-only steps, fewer when the clock reaches ``until`` or the blocks run out."""
    c = e.clock[0]
    decoding, used = c.k, e.rules[0].blocks - c.free
    growth = e.law[0] * decoding
    first = decode_base(e.law, decoding) + e.law[0] * (c.held + decoding * (c.step + 1))
    steps = affordable(e.residue, decoding, c.step, most, c.free) if e.rules[0].reserve == 0 else most
    if until < math.inf:
        steps = steps_until(first, growth, steps, until - c.now)
    if e.rules[0].reserve == 0:
        allocate(e, taken(e.residue, decoding, c.step, steps))
    seconds = stretch_seconds(first, growth, steps)
    note_gap(e, seconds / steps, float(steps * decoding))
    pass_time(e, used, seconds, first + growth * (steps - 1))
    c.worked += steps * decoding
    c.step += steps


@bare(forceinline=True)
def single_step(e: Engine, resting: int) -> None:
    """One step with prompt chunks, or without the ``resting`` decoding requests that are not marked."""
    c, r = e.clock[0], e.rules[0]
    used, decoding = r.blocks - c.free, c.k - c.filling
    need, context = needed(e.residue, c.step + 1), c.held + decoding * (c.step + 1)
    if resting > 0:
        need, context = leave_out(e)
        decoding -= resting
    chunk, square, cross, earlier, samples = 0.0, 0.0, 0.0, 0.0, decoding
    for i in e.filling[: c.filling]:
        job = e.jobs[i]
        if job.chunk == 0:
            continue
        tokens, before = float(job.chunk), float(job.computed)
        chunk += tokens
        square += tokens * tokens
        cross += tokens * before
        earlier += before
        more = blocks_of(job.computed + job.chunk, r.block) - job.placed
        if more > 0:
            allocate(e, more)
            job.placed += more
            if r.cached:
                fill(e, i, job.placed)
        c.worked += job.chunk
        samples += job.computed + job.chunk == context_of(e, i)
    allocate(e, need)
    c.worked += decoding
    if chunk > 0:
        seconds = prefill_seconds(e.law, decoding, float(context), samples, chunk, square, cross, earlier)
    else:
        seconds = decode_base(e.law, max(1, decoding)) + e.law[0] * context
    c.step += 1
    if decoding > 0:
        note_gap(e, seconds, float(decoding))
    pass_time(e, used, seconds, seconds)
    if turn_over(e) or resting > 0:
        resort(e)


@bare()
def leave_out(e: Engine) -> tuple[int, int]:
    """Let the decoding requests that are not marked sit out; blocks needed by, and context of, those that are."""
    c, r = e.clock[0], e.rules[0]
    need, context = 0, 0
    for x in range(c.k):
        job = e.jobs[e.running[x].id]
        if job.computed != DECODES:
            continue
        if job.part != c.step + 1:
            rest(e, x)
        else:
            need += r.reserve == 0 and (job.offset + c.step) % r.block == 0
            context += job.offset + c.step + 1
    return need, context


@bare()
def turn_over(e: Engine) -> bool:
    """After a step: requests whose context is complete have a token and decode from now on. True if some go on."""
    c, r, kept = e.clock[0], e.rules[0], 0
    for x in range(c.filling):
        i = e.filling[x]
        job = e.jobs[i]
        job.computed += job.chunk
        if job.computed < context_of(e, i):
            e.filling[kept] = i
            kept += 1
            y = 0
            while e.running[y].id != i:
                y += 1
            rest(e, y)
            continue
        job.computed = DECODES
        c.held += job.offset
        if r.reserve == 0:
            e.residue[job.offset % r.block] += 1
        if e.requests[i].generated == 0:
            job.first_token = c.now
        else:
            note_gap(e, c.now - job.last_token, 1.0)
    c.filling = kept
    return kept > 0


@bare()
def keep_oldest(e: Engine) -> int:
    """Mark the decoding requests that the budget allows, by start, as taking part; return the number of the others."""
    c, turns = e.clock[0], e.skipped
    for this in e.running[: c.k]:
        if e.jobs[this.id].computed == DECODES:
            push(turns, float(e.requests[this.id].turn), this.id)
    for _ in range(e.rules[0].budget):
        e.jobs[pop(turns)].part = c.step + 1
    resting, turns[0].id = turns[0].id, 0
    return resting


@bare()
def keep_selected(e: Engine, selected: int) -> int:
    """Mark the requests named in ``out`` as taking part; return how many decoding ones do not, -1 for a stranger.

    Where prompts have steps of their own, no decode takes part in these, whoever names it.
    """
    c = e.clock[0]
    prompts = not e.rules[0].together and c.filling > 0
    for i in e.out[:selected]:
        if not 0 <= i < len(e.jobs) or e.jobs[i].status != IN_BATCH:
            return -1
        if not (prompts and e.jobs[i].computed == DECODES):
            e.jobs[i].part = c.step + 1
    resting = 0
    for this in e.running[: c.k]:
        job = e.jobs[this.id]
        if job.part == c.step + 1:
            continue
        if job.computed == DECODES:
            resting += 1
        else:
            job.chunk = 0
    return resting
