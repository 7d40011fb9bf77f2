"""The state of a fleet: what the replicas share, and the rest of each as a row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..host.advance import GAP_BINS
from ..host.engine import CLOCK, FOREVER, JOB, NONE, Engine
from ..host.prepare import Prepared
from ..host.queue import ENTRY
from ..host.serving import Serving
from ..host.sharing import height, share_nothing, share_tree
from ..host.turns import Turns
from ..jit import bare
from ..policy.draw import new_dice
from ..policy.protocol import parameters
from ..policy.view import RUNNING
from ..trace import Ints, Trace
from .routers import speeds

BUCKETS = 64
"""Of volumes, by powers of two."""


class Pool(NamedTuple):
    """R replicas and n requests. What is not named here is as in ``Engine``, with a row for each replica."""

    rules: Any
    clock: Any
    law: Any  # (R, longest)
    own: int
    requests: Any  # shared, as are output, jobs and columns: a request is at one replica
    output: Any
    jobs: Any
    running: Any
    due: Any
    out: Any
    filling: Any
    late: Any
    residue: Any
    nodes: Any  # (R or 1, m): shared where no content is
    path: Any
    gaps: Any
    survival: Any  # (R, kinds, grid points)
    p: Any
    columns: Any
    memory: Any
    q: Any
    facts: Any
    notes: Any
    dice: Any
    waiting: Any
    skipped: Any
    coming: Any
    alarms: Any
    log: Any  # (R, a, 4)
    place: Any  # (n,) replica of each request, NONE before it came
    chain: Any  # (n,) requests that come to the same replica with this one: itself and its session's later turns
    peak: Any  # (n,) tokens that it, or a later turn of its session, needs
    weight: Any  # (n,) predicted volume as it was routed, token-steps; 0 once the router knows that it is done
    room: Any  # (R,) tokens
    draws: Any  # (n, 2) in [0, 1)
    speed: Any  # (R,) volume per second with full memory
    sent: Any  # (R,) requests sent there
    seen: Any  # (R,) attempts whose end the router has noticed
    load: Any  # (R,) what the router goes by
    inside: Any  # (R, 3, BUCKETS) of the requests there by volume: how many, their volume, their prompts
    active: Any  # (R, 2, BUCKETS) of those that run: how many, and their volume
    next: Any  # (1,) the next request to route


@bare()
def replica(p: Pool, r: int) -> Engine:
    """The engine of replica r: views of its rows."""
    return Engine(
        p.rules[r : r + 1], p.clock[r : r + 1], p.law[r], p.own, p.requests, p.output, p.jobs, p.running[r], p.due[r],
        p.out[r], p.filling[r], p.late[r], p.residue[r], p.nodes[r % len(p.nodes)], p.path[r], p.gaps[r], p.gaps[:0],
        p.survival[r], p.p, p.columns, p.memory[r], p.q, p.facts, p.notes[r], p.dice[r], p.waiting[r], p.skipped[r],
        p.coming[r], p.alarms[r], p.log[r],
    )  # fmt: skip


def pool_of(
    replicas: tuple[Serving, ...], trace: Trace, ready: Prepared, turns: Turns, policy: Any, own: int, cached: bool,
    seed: int,
) -> Pool:  # fmt: skip
    """The state before anything has come.

    Parameters
    ----------
    own : bits of the hooks that the policy or the predictor brings itself.
    """
    n, count, size = len(ready.output), len(replicas), replicas[0].block_size
    blocks = np.array([replica.kv_blocks() for replica in replicas])
    room = max(min(n, replica.max_num_seqs, most) + 1 for replica, most in zip(replicas, blocks.tolist(), strict=True))
    nodes, granted = share_tree(trace, ready.order, size) if cached else share_nothing(n)
    jobs, chain = _jobs(ready, turns, replicas[0].deadlines(trace))
    jobs["granted"], jobs["extent"] = granted, nodes["depth"][:n]
    clock = _table((count,), CLOCK)
    clock["now"] = clock["seen"] = ready.requests["arrival"][0]
    clock["free"] = clock["fresh"] = blocks
    clock["oldest"] = clock["newest"] = clock["head"] = NONE
    clock["due"] = FOREVER
    laws = [replica.step_time().coefficients for replica in replicas]
    due, out, filling, late = np.zeros((4, count, room), np.int64)
    waiting, skipped, coming, alarms = (_table((count, n + 1), ENTRY) for _ in range(4))
    predicted, prompt = ready.requests["predicted"], ready.requests["prompt"]
    return Pool(
        np.concatenate([replica.rules(trace, policy, cached) for replica in replicas]).view(np.recarray), clock,
        np.array([np.pad(law, (0, max(map(len, laws)) - len(law))) for law in laws]), own, ready.requests,
        ready.output, jobs, _table((count, room), RUNNING), due, out, filling, late,
        np.zeros((count, size), np.int64), np.array([nodes] * (count if cached else 1)).view(np.recarray),
        np.zeros((count, height(nodes["parent"]) + 1), np.int64), np.zeros((count, GAP_BINS)),
        np.array([ready.survival] * count), parameters(policy), ready.plan.columns,
        np.array([ready.plan.memory] * count), ready.predictor_parameters, ready.facts,
        np.array([ready.notes] * count), np.array([new_dice(seed + r) for r in range(count)]),
        waiting, skipped, coming, alarms, np.zeros((count, n + room, 4), np.int64),
        np.full(n, NONE), chain, largest_turn(trace.peak, turns.follows)[ready.order],
        prompt * predicted + predicted * (predicted + 1) / 2, blocks * size,
        np.random.default_rng(seed).random((n, 2)), speeds(replicas), np.zeros(count, np.int64),
        np.zeros(count, np.int64), np.zeros(count), np.zeros((count, 3, BUCKETS)), np.zeros((count, 2, BUCKETS)),
        np.zeros(1, np.int64),
    )  # fmt: skip


def _jobs(ready: Prepared, turns: Turns, deadlines: Any) -> tuple[Any, Ints]:
    """The requests' jobs, and how many come to one replica with each."""
    n = len(ready.output)
    back = np.argsort(ready.order, kind="mergesort")
    follows = turns.follows[ready.order]
    jobs = _table((n,), JOB)
    jobs["next_turn"], jobs["deepest"] = np.where(follows >= 0, back[follows], NONE), NONE
    jobs["think"], jobs["deadline"] = turns.think[ready.order], deadlines[ready.order]
    for name in ("start", "first_token", "finish"):
        jobs[name] = np.nan
    return jobs, 1 + later_turns(jobs["next_turn"])


def later_turns(follows: Ints) -> Ints:
    """Turns that follow each request, shape (n,)."""
    later, at = np.zeros(len(follows), np.int64), np.array(follows)
    while np.any(at != NONE):
        later += at != NONE
        at = np.where(at != NONE, follows[at], NONE)
    return later


def largest_turn(peak: Ints, follows: Ints) -> Ints:
    """The most that each request, or a later turn of its session, ever holds, tokens, shape (n,)."""
    most = np.array(peak)
    at = np.array(follows)
    while np.any(at != NONE):
        most = np.where(at != NONE, np.maximum(most, peak[at]), most)
        at = np.where(at != NONE, follows[at], NONE)
    return most


def _table(shape: tuple[int, ...], kind: Any) -> Any:
    return np.zeros(shape, kind).view(np.recarray)
