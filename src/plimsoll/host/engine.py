"""The running batch of the serving host, and how a request joins it and leaves it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..jit import njit
from ..policy.view import View
from .batch import State, insert
from .paged import blocks_of, needed
from .prefix import FREE, FRESH, Cache, allocate, fill, found, join, release

SIZE, BLOCKS, SEQUENCES, BUDGET, WATERMARK, CHUNKED, TOGETHER, RESERVE, STATIC, LATE, CACHED = range(11)
STEP, RUNNING, FILLING, DECODING, OFFSETS, HELD, STARTS, RECOMPUTED, HITS = range(9)
NOW, SEEN, BUSY, AREA, PEAK = range(5)
NOWHERE, WAITING, IN_BATCH, DONE, CANCELLED = range(5)


class Engine(NamedTuple):
    """What the serving host keeps beside the ``State`` that it shares with the rounds host.

    ``rules`` are the settings (SIZE …), ``count`` integers of the run (STEP …), ``clock`` its seconds (NOW …).
    A request that decodes holds ``offset`` + t tokens in step t; one whose context is still being computed is in
    ``filling`` and is taken to complete in the next step.
    """

    rules: Any  # (11,)
    law: Any  # coefficients of the step time
    count: Any  # (9,)
    clock: Any  # (5,)
    offset: Any  # (n,) of a running request
    computed: Any  # (n,) tokens of a filling request's context in the cache
    placed: Any  # (n,) blocks of a filling request
    chunk: Any  # (n,) tokens of its context in the next step
    part: Any  # (n,) the last step in which a request was marked to take part
    filling: Any  # (room,) ids, by start
    late: Any  # (room,) ids whose blocks are given back a step after they finished
    residue: Any  # (block size,) decoding requests by offset
    begun: Any  # (n,) step after which a running request started
    times: Any  # (n, 3) start, first token, finish, seconds
    stopped: Any  # (n,) when an evicted request had its last token
    status: Any  # (n,) NOWHERE …
    gaps: Any  # inter-token seconds, a histogram over GAP_BINS
    next_turn: Any  # (n,) the request that follows in its session, or NONE
    think: Any  # (n,) seconds between the end of the turn before and this request
    deadline: Any  # (n,) when the client gives up, seconds after the arrival
    curve: Any  # (c, 4) time, running, waiting, used blocks


@njit()
def see(state: State, engine: Engine, cache: Cache, need: int, shared: int, evicted: int) -> View:
    """The view now: ``need`` blocks go to the running requests, ``shared`` ones need no new place."""
    count, rules, size = engine.count, engine.rules, engine.rules[SIZE]
    kept = rules[WATERMARK] if count[RUNNING] > 0 else 0
    left = cache.pool[FREE] - need
    return View(
        engine.clock[NOW], count[STEP], rules[BLOCKS] * size, size, max(-1, (left - kept + shared) * size - 1),
        max(0, -left * size), evicted, state.requests, state.running[: count[RUNNING]], state.survival, state.columns,
        state.memory, state.dice,
    )  # fmt: skip


@njit()
def context_of(state: State, i: int) -> int:
    """Tokens that a waiting request must have in the cache before it can go on; the view's prompt is one less."""
    return state.requests[i].prompt + 1 + state.requests[i].generated


@njit()
def plan_chunks(state: State, engine: Engine) -> tuple[int, int]:
    """Share the budget among the decoding and the filling requests; return blocks needed and tokens left."""
    count, rules = engine.count, engine.rules
    left = rules[BUDGET] - count[DECODING]
    need = needed(engine.residue, count[STEP] + 1)
    for x in range(count[FILLING]):
        i = engine.filling[x]
        tokens = max(0, min(context_of(state, i) - engine.computed[i], left))
        engine.chunk[i] = tokens
        left -= tokens
        need += max(0, blocks_of(engine.computed[i] + tokens, rules[SIZE]) - engine.placed[i])
    return need, left


@njit()
def enter(state: State, engine: Engine, cache: Cache, i: int, left: int, tokens: int, wanted: int) -> int:
    """Start request i with what ``left`` allows of its context; it leaves after ``tokens`` tokens. Return the tokens used.

    ``wanted`` are the blocks that it takes at once in place of one by one, or 0.
    """
    count, rules, r = engine.count, engine.rules, state.requests[i]
    context, got, hits = context_of(state, i), 0, 0
    if rules[CACHED]:
        hits = join(cache, i)
        got = max(hits * rules[SIZE], cache.granted[i])
        got = min(got, (context - 1) // rules[SIZE] * rules[SIZE])
    chunk = min(context - got, left)
    place = max(hits, wanted if wanted > 0 else blocks_of(got + chunk, rules[SIZE]))
    allocate(cache, place - hits)
    if rules[CACHED]:
        fill(cache, i, place)
    engine.computed[i], engine.placed[i], engine.chunk[i] = got, place, chunk
    engine.filling[count[FILLING]] = i
    engine.offset[i] = context - count[STEP] - 1
    engine.begun[i] = count[STEP]
    expected = max(1, int(-(-r.predicted // 1)) - r.generated)
    insert(state, count[RUNNING], i, count[STEP] + expected, engine.offset[i], count[STEP] + tokens)
    if r.evictions > 0:
        count[RECOMPUTED] += context - got
    else:
        count[HITS] += got
    r.turn = count[STARTS]
    count[STARTS] += 1
    count[FILLING] += 1
    count[RUNNING] += 1
    engine.status[i] = IN_BATCH
    engine.times[i, 0] = engine.clock[NOW]
    return chunk


@njit()
def is_filling(engine: Engine, i: int) -> bool:
    """True while the context of a running request is not complete."""
    return engine.computed[i] >= 0


@njit()
def exit(state: State, engine: Engine, cache: Cache, i: int, late: bool) -> None:
    """Take request i, no longer in ``running``, out of the books; its blocks are freed now or a step later."""
    count = engine.count
    if is_filling(engine, i):
        x = 0
        while engine.filling[x] != i:
            x += 1
        for y in range(x, count[FILLING] - 1):
            engine.filling[y] = engine.filling[y + 1]
        count[FILLING] -= 1
    else:
        if engine.rules[RESERVE] == 0:
            engine.residue[engine.offset[i] % engine.rules[SIZE]] -= 1
            engine.placed[i] = blocks_of(engine.offset[i] + count[STEP], engine.rules[SIZE])
        count[DECODING] -= 1
        count[OFFSETS] -= engine.offset[i]
    if late:
        engine.late[count[HELD]] = i
        count[HELD] += 1
    else:
        free(engine, cache, i)


@njit()
def free(engine: Engine, cache: Cache, i: int) -> None:
    """Give the blocks of request i back."""
    if engine.rules[CACHED]:
        release(cache, i, engine.placed[i])
    else:
        cache.pool[FREE] += engine.placed[i]
        cache.pool[FRESH] += engine.placed[i]


@njit()
def settle(engine: Engine, cache: Cache) -> None:
    """Give back the blocks of the requests that finished a step ago."""
    for x in range(engine.count[HELD]):
        free(engine, cache, engine.late[x])
    engine.count[HELD] = 0


@njit()
def room_for(state: State, engine: Engine, cache: Cache, i: int) -> tuple[int, int, int]:
    """Blocks that request i needs to start, those of them in use by others, and its reservation (0: none)."""
    rules = engine.rules
    shared = found(cache, i)[1] if rules[CACHED] else 0
    if rules[RESERVE] > 0:
        wanted = blocks_of(state.requests[i].prompt + 1 + rules[RESERVE], rules[SIZE])
        return wanted, shared, wanted
    return blocks_of(context_of(state, i), rules[SIZE]), shared, 0
