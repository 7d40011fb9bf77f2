"""A fleet as a host: replicas behind a router, one result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..host import steps as loop
from ..host.prepare import Prepared, prepare
from ..host.result import Ints, Result
from ..host.serving import Serving, raise_for
from ..host.sharing import shares_prefixes
from ..host.turns import turns_of
from ..jit import native, plain
from ..policy.protocol import ask, failed, has
from ..progress import Progress, call
from ..trace import Floats, Trace
from . import couple
from .pool import Pool, largest_turn, pool_of, replica
from .routers import REQUESTS, PowerOfTwo, is_blind, load_router

_COLUMNS = ("arrival", "start", "first_token", "finish", "predicted")
_SUMS = ("overflows", "events", "steps", "busy_s", "recomputed_tokens", "cached_tokens", "cancelled")
_HOOKS = ("rank", "admit", "evict", "limit", "select", "wake")


@dataclass(frozen=True)
class Fleet:
    """Replicas of the serving host, alike or unlike, behind a router.

    Attributes
    ----------
    replicas : at least one.
    router : a name of ``routers``, with parameters after a colon.

    A request goes only where its prompt and output fit, as a gateway tells from ``max_tokens``. A later turn of a
    closed session stays where the first went.
    """

    replicas: Sequence[Serving]
    router: str = "least-requests"

    name = "fleet"
    unit = "s"

    def __post_init__(self) -> None:
        object.__setattr__(self, "replicas", tuple(self.replicas))
        if not self.replicas:
            raise InputError("a fleet needs at least one replica")
        load_router(self.router)
        for name in ("max_tokens", "timeout_s", "closed_loop", "prefix_caching"):
            if len({getattr(each, name) for each in self.replicas}) > 1:
                raise InputError(f"the replicas of a fleet must agree on {name}")

    @property
    def capacity(self) -> int:
        """Tokens of all replicas together."""
        return sum(each.capacity for each in self.replicas)

    @property
    def largest(self) -> int:
        """Tokens of the largest replica: no request may need more."""
        return max(each.capacity for each in self.replicas)

    @property
    def basis(self) -> str:
        """What the answers stand on, once for each kind of replica."""
        return "; ".join(dict.fromkeys(each.basis for each in self.replicas))

    def arrivals(self, trace: Trace) -> Floats:
        """See ``Serving.arrivals``."""
        return self.replicas[0].arrivals(trace)

    def run(
        self, trace: Trace, policy: Any, predictor: Any, seed: int, compiled: bool, progress: Progress | None
    ) -> Result:
        """See ``plimsoll.simulate``."""
        first = self.replicas[0]
        if first.max_tokens is not None:
            trace = replace(trace, output=np.minimum(trace.output, first.max_tokens))
        trace.fitting(self.largest)
        router = load_router(self.router)
        if is_blind(router):
            return self._split(trace, router, policy, predictor, seed, compiled, progress)
        return self._couple(trace, router, policy, predictor, seed, compiled, progress)

    def _split(
        self, trace: Trace, router: Any, policy: Any, predictor: Any, seed: int, compiled: bool,
        progress: Progress | None,
    ) -> Result:  # fmt: skip
        """A blind router decides before anything runs: each replica serves its own part of the trace."""
        turns = turns_of(trace, self.replicas[0].closed_loop)
        needs = largest_turn(trace.peak, turns.follows)
        fits = needs[:, None] <= np.array([each.capacity for each in self.replicas])
        place = router.route(trace, fits, np.random.default_rng(seed))
        for i in np.argsort(trace.arrival, kind="mergesort"):
            if turns.follows[i] >= 0:
                place[turns.follows[i]] = place[i]
        results: list[tuple[Ints, Result]] = []
        for r, each in enumerate(self.replicas):
            rows = np.flatnonzero(place == r)
            if len(rows):
                part = trace.keep(place == r)
                results.append((rows, each.run(part, policy, predictor, seed + r, compiled, progress)))
        return self._merge(trace, place, results)

    def _merge(self, trace: Trace, place: Ints, parts: list[tuple[Ints, Result]]) -> Result:
        """One result of the replicas', each with the rows of the trace that it served."""
        if len(self.replicas) == 1:
            return replace(parts[0][1], replica=place)
        columns = {name: np.full(len(trace), np.nan) for name in _COLUMNS}
        evictions = np.zeros(len(trace), np.int64)
        attempts: list[Ints] = []
        for rows, part in parts:
            for name, column in columns.items():
                column[rows] = getattr(part, name)
            evictions[rows] = part.evictions
            attempts.append(np.column_stack([rows[part.attempts[:, 0]], part.attempts[:, 1:]]))
        ended = columns["finish"][np.isfinite(columns["finish"])]
        length = max(float(ended.max(initial=0.0) - np.nanmin(columns["arrival"])), 1e-12)
        held = sum(part.mean_memory_use * part.capacity * part.more["elapsed_s"] for _, part in parts)
        more = {name: sum(part.more[name] for _, part in parts) for name in _SUMS} | {"elapsed_s": length}
        reasons = [part.reason for _, part in parts if part.reason]
        return Result(
            "s", columns["arrival"], columns["start"], columns["first_token"], columns["finish"], trace.prompt,
            trace.output, columns["predicted"], evictions, np.concatenate(attempts), self.capacity,
            sum(part.peak_tokens for _, part in parts), held / (self.capacity * length),
            sum(part.wall_s for _, part in parts), "unstable" if reasons else "ok", (reasons or [""])[0],
            trace.client, replica=place, more=more | self._spent(place, parts, length),
        )  # fmt: skip

    def _spent(self, place: Ints, parts: list[tuple[Ints, Result]], length: float) -> dict[str, float]:
        """Energy and cost over the whole run, idle replicas included, where every GPU is known; and the imbalance."""
        busy = np.zeros(len(self.replicas))
        for rows, part in parts:
            busy[place[rows[0]]] = part.more["busy_s"]
        told = {"imbalance": float(busy.max() / max(busy.mean(), 1e-12))}
        bills = [each.spent(float(b), length) for each, b in zip(self.replicas, busy, strict=True)]
        for name in ("energy_j", "cost_usd"):
            if all(name in bill for bill in bills):
                told[name] = sum(bill[name] for bill in bills)
        return told

    def _couple(
        self, trace: Trace, router: Any, policy: Any, predictor: Any, seed: int, compiled: bool,
        progress: Progress | None,
    ) -> Result:  # fmt: skip
        """The replicas advance together, so that the router sees them as they are when a request comes."""
        first = self.replicas[0]
        self._require_alike(trace, router)
        turns = turns_of(trace, first.closed_loop)
        cached = shares_prefixes(trace) if first.prefix_caching is None else first.prefix_caching
        seen = replace(trace, prompt=trace.prompt - 1)  # see ``Serving.run``
        ready = prepare(seen, turns.arrival, policy, predictor, self.largest, seed)
        if len(self.replicas) > 1:
            _require_own_plan(policy, ready, self.largest)
        own = loop.LIMITS * has(policy, "limit") + loop.WAKES * has(policy, "wake")
        own += loop.LEARNS * (has(predictor, "predict") or has(predictor, "learn"))
        pool = pool_of(tuple(self.replicas), trace, ready, turns, policy, own, cached, seed)
        hooks = [ask(policy, hook, compiled) for hook in _HOOKS]
        hooks += [ask(predictor, hook, compiled) for hook in ("predict", "learn")]
        route = native(couple.route) if compiled else plain(couple.route)
        clocked = int(np.isfinite(turns.arrival).sum())
        given = (clocked, router.looks, isinstance(router, PowerOfTwo) and len(self.replicas) > 1)
        began = time.perf_counter()
        try:
            while (bad := int(call(route, *hooks, pool, *given, total=len(trace), progress=progress))) >= 0:
                clock = pool.clock[bad]
                if clock.status != loop.LOG_FULL:
                    break
                clock.status = loop.OK
                pool = pool._replace(log=np.concatenate([pool.log, np.zeros_like(pool.log)], axis=1))
        except (ArithmeticError, IndexError, ValueError, TypeError) as error:
            raise failed(error, policy) from error
        wall_s = time.perf_counter() - began
        for clock in pool.clock:
            raise_for(int(clock.status), int(clock.fault), pool.requests, policy)
        place = np.empty(len(trace), np.int64)
        place[ready.order] = pool.place
        parts = [self._part(r, trace, policy, ready.order, pool) for r in range(len(self.replicas)) if pool.sent[r]]
        return replace(self._merge(trace, place, parts), wall_s=wall_s)

    def _part(self, r: int, trace: Trace, policy: Any, order: Ints, pool: Pool) -> tuple[Ints, Result]:
        """The rows of the trace that replica r served, and its result."""
        mine = np.flatnonzero(pool.place == r)
        rows = np.sort(order[mine])
        engine = plain(replica)(pool, r)
        attempts = engine.log[: pool.clock[r].logged].copy()
        attempts[:, 0] = np.searchsorted(mine, attempts[:, 0])
        engine = engine._replace(
            requests=pool.requests[mine], output=pool.output[mine], jobs=pool.jobs[mine], log=attempts
        )
        chosen = np.zeros(len(trace), np.bool_)
        chosen[rows] = True
        given = (np.searchsorted(rows, order[mine]), engine, 0.0)
        return rows, self.replicas[r].result(trace.keep(chosen), policy, *given)

    def _require_alike(self, trace: Trace, router: Any) -> None:
        if len({each.block_size for each in self.replicas}) > 1:
            raise InputError(f"--router {self.router}: the replicas must have one block size")
        if router.looks != REQUESTS and (self.replicas[0].timeout_s is not None or "cancel_s" in trace.more):
            raise InputError(f"--router {self.router} does not see clients that give up; least-requests does")
        if any(each.curve_s for each in self.replicas):
            raise InputError("a fleet samples no curves")
        if len(trace) and trace.prompt.min() < 1:
            row = int(np.argmin(trace.prompt))
            raise InputError(f"{trace.name}: row {row + 1}, column prompt: an engine needs at least 1 token")


def _require_own_plan(policy: Any, ready: Prepared, capacity: int) -> None:
    """Raise an InputError if the policy's plan for a request depends on the others: these may go elsewhere."""
    if not hasattr(policy, "plan"):
        return
    half = ready.requests[: len(ready.requests) // 2]
    plans = [policy.plan(some.copy(), capacity, np.random.default_rng(0)) for some in (half, ready.requests)]
    same = all(np.array_equal(a.columns, b.columns[: len(a.columns)]) for a, b in (plans,))
    if not (same and np.array_equal(plans[0].memory, plans[1].memory)):
        raise InputError(
            f"{type(policy).__name__} plans all requests of a replica ahead: give a router that decides ahead too, "
            "round-robin, random, sticky or prefix"
        )
