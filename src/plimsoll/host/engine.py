"""The state of the serving host, and what a policy sees of it.

A request that decodes holds ``offset`` + t tokens in step t. One whose context is not in the cache yet is filling:
each step computes a chunk of it, and until the last one it is taken to complete in the next step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit import bare
from ..policy.view import History, View
from .paged import blocks_of, needed

NONE = -1
FOREVER = 1 << 60
AWAY, WAITING, IN_BATCH, DONE, CANCELLED = range(5)
DECODES = -1  # ``computed`` of a request whose context is in the cache

RULES = np.dtype(
    [
        ("block", np.int64),  # tokens of one
        ("blocks", np.int64),
        ("sequences", np.int64),  # most requests of a step
        ("budget", np.int64),  # most tokens of a step
        ("watermark", np.int64),  # blocks that admission keeps free while anybody runs
        ("reserve", np.int64),  # output tokens whose memory a request takes at its start; 0: block by block
        ("chunked", np.bool_),  # a prompt may be computed over several steps
        ("together", np.bool_),  # prompts and decodes share steps
        ("static", np.bool_),  # nobody joins a batch that runs
        ("overlapped", np.bool_),  # a step is scheduled while the one before it runs
        ("cached", np.bool_),  # freed blocks keep their content
        ("selects", np.bool_),  # the policy names who takes part in each step
    ],
    align=True,
)
CLOCK = np.dtype(
    [
        ("now", np.float64),  # seconds
        ("seen", np.float64),  # arrivals up to here are known to the scheduler
        ("busy", np.float64),  # seconds in steps so far
        ("area", np.float64),  # Σ tokens · seconds of memory used so far
        ("peak", np.int64),  # the most blocks in use
        ("step", np.int64),  # steps so far
        ("k", np.int64),  # running requests
        ("filling", np.int64),  # those of them whose context is not complete
        ("held", np.int64),  # Σ offset of the others
        ("late", np.int64),  # finished requests whose blocks and places are given back a step later
        ("due", np.int64),  # the first step after which a running request leaves
        ("free", np.int64),  # blocks
        ("fresh", np.int64),  # those of them without content, taken first
        ("oldest", np.int64),  # both ends of the queue of freed nodes
        ("newest", np.int64),
        ("arrived", np.int64),  # of the requests that arrive by the clock
        ("done", np.int64),  # finished or given up
        ("started", np.int64),
        ("evicted", np.int64),  # at this instant
        ("changed", np.bool_),  # something left the batch at this instant
        ("head", np.int64),  # the request that was last refused
        ("retry", np.int64),  # … and the step at which to ask for it again
        ("churn", np.int64),  # overflows since the last completion
        ("overflows", np.int64),
        ("idle", np.int64),  # events since a step last computed something
        ("events", np.int64),
        ("samples", np.int64),
        ("logged", np.int64),  # attempts that ended
        ("recomputed", np.int64),  # tokens computed again after evictions
        ("hits", np.int64),  # tokens found in the cache
        ("worked", np.int64),  # tokens that steps computed
        ("lost", np.int64),  # tokens in the memory of evicted requests
        ("status", np.int64),
        ("fault", np.int64),  # the request (or count) that a bad status is about
    ],
    align=True,
)
JOB = np.dtype(
    [
        ("status", np.int64),  # AWAY …
        ("begun", np.int64),  # step after which it last started
        ("offset", np.int64),
        ("computed", np.int64),  # tokens of its context in the cache while it fills, then DECODES
        ("placed", np.int64),  # its blocks, while it fills
        ("chunk", np.int64),  # tokens of its context in the next step
        ("part", np.int64),  # the last step in which it was marked to take part
        ("extent", np.int64),  # blocks of its prompt that may be shared
        ("deepest", np.int64),  # the deepest shared node that it uses, or NONE
        ("fills", np.bool_),  # its shared nodes are its own to fill
        ("granted", np.int64),  # prompt tokens in the cache by the trace's word alone
        ("next_turn", np.int64),  # the request that follows in its session, or NONE
        ("think", np.float64),  # seconds from the end of the turn before to its arrival
        ("deadline", np.float64),  # seconds from its arrival until the client gives up
        ("waited", np.float64),  # seconds in the queue so far
        ("start", np.float64),
        ("first_token", np.float64),
        ("last_token", np.float64),  # when it was evicted
        ("finish", np.float64),
    ],
    align=True,
)
NODE = np.dtype(
    [
        ("parent", np.int64),  # node above, or NONE
        ("depth", np.int64),  # blocks before it; of a leaf, before the request's own blocks
        ("length", np.int64),  # its blocks; 0 for a leaf
        ("resident", np.int64),  # those that hold their content, its first ones
        ("users", np.int64),  # running requests that use it
        ("before", np.int64),  # neighbours in the queue of freed nodes
        ("after", np.int64),
    ],
    align=True,
)


class Engine(NamedTuple):
    """All that a run works on. ``output`` is the truth and stays out of every view."""

    rules: Any  # (1,) of RULES
    clock: Any  # (1,) of CLOCK
    law: Any  # coefficients of the step time
    own: int  # bits of the hooks that the policy or the predictor brings itself
    requests: Any  # (n,) of REQUEST; their prompts are a token shorter than the trace's, see ``serving``
    output: Any  # (n,) tokens
    jobs: Any  # (n,) of JOB
    running: Any  # (room,) of RUNNING, the first k in use, by ascending predicted end
    due: Any  # (room,) the step after which each running request truly leaves
    out: Any  # (room,) ids, room for a hook's answer
    filling: Any  # (room,) ids, by start
    late: Any  # (room,) ids
    residue: Any  # (block size,) decoding requests by offset
    nodes: Any  # (m,) of NODE; the first n are the leaves of the requests
    path: Any  # room for the nodes above a leaf
    gaps: Any  # inter-token times, a histogram
    curve: Any  # (c, 4) time, running, waiting, used blocks
    survival: Any  # (kinds, grid points)
    p: Any  # parameters of the policy, its columns and its memory
    columns: Any
    memory: Any
    q: Any  # parameters of the predictor, its columns and its memory
    facts: Any
    notes: Any
    dice: Any  # (6,)
    waiting: Any  # queue by rank
    skipped: Any  # queue of those that the policy passed over at this instant
    coming: Any  # queue of next turns by arrival
    alarms: Any  # queue by the time at which the client gives up
    log: Any  # (a, 4) the attempts that ended: id, first step, last step, tokens kept before


@bare(forceinline=True)
def see(e: Engine, need: int, shared: int) -> View:
    """What the policy sees now: ``need`` blocks go to the running requests, ``shared`` ones need no new place."""
    c, r = e.clock[0], e.rules[0]
    kept = r.watermark if c.k > 0 else 0
    left = c.free - need
    return View(
        c.now, c.step, r.blocks * r.block, r.block, max(-1, (left - kept + shared) * r.block - 1),
        max(0, -left * r.block), c.evicted, e.requests, e.running[: c.k], e.survival, e.columns, e.memory, e.dice,
    )  # fmt: skip


@bare()
def past(e: Engine) -> History:
    """What the predictor sees now."""
    c = e.clock[0]
    return History(c.now, c.step, e.requests, e.running[: c.k], e.survival, e.facts, e.notes)


@bare()
def context_of(e: Engine, i: int) -> int:
    """Tokens that must be in the cache before request i goes on."""
    return e.requests[i].prompt + 1 + e.requests[i].generated


@bare()
def tokens_of(e: Engine, i: int) -> int:
    """Tokens that running request i has produced since it last started."""
    if e.jobs[i].computed != DECODES:
        return 0
    return e.jobs[i].offset + e.clock[0].step - e.requests[i].prompt - e.requests[i].generated


@bare()
def plan_chunks(e: Engine) -> tuple[int, int]:
    """Share the budget among decoding and filling requests; return the blocks that they need and the tokens left."""
    c, r = e.clock[0], e.rules[0]
    left = r.budget - (c.k - c.filling)
    need = needed(e.residue, c.step + 1)
    for i in e.filling[: c.filling]:
        job = e.jobs[i]
        job.chunk = max(0, min(context_of(e, i) - job.computed, left))
        left -= job.chunk
        need += max(0, blocks_of(job.computed + job.chunk, r.block) - job.placed)
    return need, left
