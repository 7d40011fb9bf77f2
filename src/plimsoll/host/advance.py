"""Steps of the serving host: one with prompt tokens, or a whole stretch of decodes at once."""

from __future__ import annotations

import math

import numpy as np

from ..jit import njit
from ..steptime.kernel import decode_base, prefill_seconds
from .batch import State
from .engine import (
    AREA, BLOCKS, BUDGET, BUSY, CACHED, DECODING, FILLING, IN_BATCH, NOW, OFFSETS, PEAK, RESERVE, RUNNING, SEEN, SIZE,
    STEP, Engine, context_of, is_filling,
)  # fmt: skip
from .paged import affordable, blocks_of, needed, steps_until, stretch_seconds, taken
from .prefix import FREE, Cache, allocate, fill

GAP_BINS, GAP_FLOOR, GAP_STEP = 1700, 1e-5, 0.01
"""Inter-token times are counted in bins one per cent wide, from ten microseconds up."""


@njit()
def note_gap(engine: Engine, seconds: float, count: float) -> None:
    """Count ``count`` inter-token times of ``seconds``."""
    place = int(math.log(max(seconds, GAP_FLOOR) / GAP_FLOOR) / GAP_STEP)
    engine.gaps[min(place, GAP_BINS - 1)] += count


@njit()
def pass_time(engine: Engine, cache: Cache, used: int, seconds: float, last: float) -> None:
    """Let ``seconds`` go by, the last step of which takes ``last``; ``used`` blocks were held at their start."""
    clock, rules = engine.clock, engine.rules
    now_used = rules[BLOCKS] - cache.pool[FREE]
    clock[AREA] += 0.5 * (used + now_used) * rules[SIZE] * seconds
    clock[PEAK] = max(clock[PEAK], now_used * rules[SIZE])
    clock[BUSY] += seconds
    clock[NOW] += seconds
    clock[SEEN] = clock[NOW] - last


@njit()
def decode_stretch(engine: Engine, cache: Cache, most: int, until: float) -> None:
    """Advance by up to ``most`` decode-only steps, fewer when ``until`` (seconds from now) or the blocks run out."""
    count, clock, law = engine.count, engine.clock, engine.law
    decoding, step = count[DECODING], count[STEP]
    growth = law[0] * decoding
    first = decode_base(law, decoding) + law[0] * (count[OFFSETS] + decoding * (step + 1))
    steps = affordable(engine.residue, decoding, step, most, cache.pool[FREE])
    if until < math.inf:
        steps = steps_until(first, growth, steps, until)
    used = engine.rules[BLOCKS] - cache.pool[FREE]
    allocate(cache, taken(engine.residue, decoding, step, steps))
    seconds = stretch_seconds(first, growth, steps)
    note_gap(engine, seconds / steps, float(steps * decoding))
    pass_time(engine, cache, used, seconds, first + growth * (steps - 1))
    count[STEP] += steps


@njit()
def rest(state: State, engine: Engine, x: int) -> None:
    """Leave running request x out of the step: everything about it comes a step later."""
    i, count = state.running[x].id, engine.count
    if not is_filling(engine, i):
        count[OFFSETS] -= 1
        if engine.rules[RESERVE] == 0:
            engine.residue[engine.offset[i] % engine.rules[SIZE]] -= 1
            engine.residue[(engine.offset[i] - 1) % engine.rules[SIZE]] += 1
    state.running[x].offset -= 1
    state.running[x].end += 1
    state.due[x] += 1
    engine.offset[i] -= 1


@njit()
def resort(state: State, k: int) -> None:
    """Restore the order by predicted end after some were put off by a step."""
    for x in range(1, k):
        y = x
        while y > 0 and state.running[y - 1].end > state.running[y].end:
            i, end, offset = state.running[y].id, state.running[y].end, state.running[y].offset
            state.running[y] = state.running[y - 1]
            state.running[y - 1].id, state.running[y - 1].end, state.running[y - 1].offset = i, end, offset
            state.due[y], state.due[y - 1] = state.due[y - 1], state.due[y]
            y -= 1


@njit()
def keep_oldest(state: State, engine: Engine) -> int:
    """Mark the decoding requests that the budget allows, by start, as taking part; return the number of the others."""
    count, most = engine.count, engine.rules[BUDGET]
    turns = np.empty(count[DECODING], np.int64)
    found = 0
    for r in state.running[: count[RUNNING]]:
        if not is_filling(engine, r.id):
            turns[found] = state.requests[r.id].turn
            found += 1
    last = np.sort(turns)[most - 1]
    for r in state.running[: count[RUNNING]]:
        if state.requests[r.id].turn <= last and not is_filling(engine, r.id):
            engine.part[r.id] = count[STEP] + 1
    return count[DECODING] - most


@njit()
def keep_selected(state: State, engine: Engine, selected: int) -> int:
    """Mark the requests named in ``out`` as taking part; return how many decoding ones do not, -1 for a stranger."""
    count = engine.count
    for x in range(selected):
        i = state.out[x]
        if engine.status[i] != IN_BATCH:
            return -1
        engine.part[i] = count[STEP] + 1
    resting = 0
    for r in state.running[: count[RUNNING]]:
        if engine.part[r.id] != count[STEP] + 1:
            if is_filling(engine, r.id):
                engine.chunk[r.id] = 0
            else:
                resting += 1
    return resting


@njit()
def single_step(state: State, engine: Engine, cache: Cache, resting: int) -> None:
    """One step with prompt chunks, or without the ``resting`` decoding requests that are not marked."""
    count, law, rules = engine.count, engine.law, engine.rules
    used, step = rules[BLOCKS] - cache.pool[FREE], count[STEP]
    decoding = count[DECODING] - resting
    need, context = needed(engine.residue, step + 1), count[OFFSETS] + count[DECODING] * (step + 1)
    if resting > 0:
        need, context = leave_out(state, engine)
    chunk, square, cross, earlier, complete = 0.0, 0.0, 0.0, 0.0, 0
    for x in range(count[FILLING]):
        i = engine.filling[x]
        tokens, before = float(engine.chunk[i]), float(engine.computed[i])
        if tokens > 0:
            chunk += tokens
            square += tokens * tokens
            cross += tokens * before
            earlier += before
            more = blocks_of(engine.computed[i] + engine.chunk[i], rules[SIZE]) - engine.placed[i]
            if more > 0:
                allocate(cache, more)
                engine.placed[i] += more
                if rules[CACHED]:
                    fill(cache, i, engine.placed[i])
            complete += engine.computed[i] + engine.chunk[i] == context_of(state, i)
    allocate(cache, need)
    if chunk > 0:
        samples = decoding + complete
        seconds = prefill_seconds(law, decoding, float(context), samples, chunk, square, cross, earlier)
    else:
        seconds = decode_base(law, max(1, decoding)) + law[0] * context
    count[STEP] += 1
    if decoding > 0:
        note_gap(engine, seconds, float(decoding))
    pass_time(engine, cache, used, seconds, seconds)
    turn_over(state, engine)
    if resting > 0:
        resort(state, count[RUNNING])


@njit()
def leave_out(state: State, engine: Engine) -> tuple[int, int]:
    """Put off the decoding requests that are not marked; blocks and context of those that are."""
    count, size = engine.count, engine.rules[SIZE]
    need, context, step = 0, 0, count[STEP]
    for x in range(count[RUNNING]):
        i = state.running[x].id
        if is_filling(engine, i):
            continue
        if engine.part[i] != step + 1:
            rest(state, engine, x)
        else:
            need += engine.rules[RESERVE] == 0 and (engine.offset[i] + step) % size == 0
            context += engine.offset[i] + step + 1
    return need, context


@njit()
def turn_over(state: State, engine: Engine) -> None:
    """After a step: requests whose context is complete have a token and decode from now on; the others go on."""
    count, clock, kept = engine.count, engine.clock, 0
    for x in range(count[FILLING]):
        i = engine.filling[x]
        engine.computed[i] += engine.chunk[i]
        if engine.computed[i] < context_of(state, i):
            engine.filling[kept] = i
            kept += 1
            y = 0
            while state.running[y].id != i:
                y += 1
            rest(state, engine, y)
            continue
        engine.computed[i] = -1
        count[DECODING] += 1
        count[OFFSETS] += engine.offset[i]
        if engine.rules[RESERVE] == 0:
            engine.residue[engine.offset[i] % engine.rules[SIZE]] += 1
        if state.requests[i].generated == 0:
            engine.times[i, 1] = clock[NOW]
        else:
            note_gap(engine, clock[NOW] - engine.stopped[i], 1.0)
    count[FILLING] = kept
    if kept > 0:
        resort(state, count[RUNNING])
