"""Instances built to hurt: the Ω(√n) adversary, the priority traps, the two-point trap, and a search.

A policy is played as ``play(trace) -> finish``: shape (n,), rounds. ``play`` may raise
:class:`~plimsoll.errors.PolicyError` where the policy does not settle; the search then passes over that
instance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

import numpy as np

from ..errors import InputError, PolicyError
from ..trace import Floats, Ints, Trace

Play = Callable[[Trace], Floats]


@dataclass(frozen=True)
class Instance:
    """A hard instance. ``optimum_at_most`` is the total latency of a schedule known to exist, rounds."""

    trace: Trace
    capacity: int
    optimum_at_most: int


def square_root(play: Play, capacity: int) -> Instance:
    """The Ω(√n) adversary, answering one policy: it watches when the long request starts, then floods.

    A request (1, M − 1) is released alone. L = ⌊√M/2⌋ rounds before it would end, M/2 requests (1, 1) arrive:
    most of them wait for all of the L rounds, while a schedule that knew would have kept out of their way.

    Parameters
    ----------
    play : a deterministic policy; it is asked once, with the long request alone.
    capacity : M, tokens, at least 16.

    References
    ----------
    The bound is that of arXiv:2502.07115; the construction is ours (n = M/2 + 1).
    """
    if capacity < 16:
        raise InputError(f"the adversary needs a capacity of at least 16 tokens, not {capacity}")
    last, flood = isqrt(capacity) // 2, capacity // 2
    alone = Trace.of([(0, 1, capacity - 1)], "long request alone")
    start = int(play(alone)[0]) - (capacity - 1)
    release = start + capacity - 1 - last
    best = capacity - 1 + flood if release >= capacity - 1 else release + capacity + flood
    requests = [(0, 1, capacity - 1)] + [(release, 1, 1)] * flood
    return Instance(Trace.of(requests, f"square-root adversary M={capacity}"), capacity, best)


def large_prompts(length: int) -> Instance:
    """A trap for every rule that runs (1, L) before (L³, 1), as order by volume does.

    One of the former, ⌊√L⌋ of the latter.

    References
    ----------
    arXiv:2607.09248, Proposition 1; M = L³ + 1.
    """
    size, wide = _trap_size(length), isqrt(length)
    best = wide * (wide + 1) // 2 + wide + length
    requests = [(0, 1, length)] + [(0, length**3, 1)] * wide
    return Instance(Trace.of(requests, f"large-prompt trap L={length}"), size, best)


def short_outputs(length: int) -> Instance:
    """A trap for every rule that runs (L³, 1) before (1, L), as shortest-first does.

    ⌊L^1.5⌋ of the former, M/(L+1) of the latter.

    References
    ----------
    arXiv:2607.09248, Proposition 1; M = L³ + 1.
    """
    size, wide = _trap_size(length), isqrt(length**3)
    narrow = size // (length + 1)
    best = narrow * length + wide * length + wide * (wide + 1) // 2
    requests = [(0, 1, length)] * narrow + [(0, length**3, 1)] * wide
    return Instance(Trace.of(requests, f"short-output trap L={length}"), size, best)


def _trap_size(length: int) -> int:
    if length < 2:
        raise InputError(f"a trap needs a length of at least 2, not {length}")
    return length**3 + 1


def two_point(prompt: int = 96, capacity: int = 256, long: int = 6, short: int = 194) -> Trace:
    """Long requests that fill the memory alone, ahead of many of one token.

    References
    ----------
    arXiv:2601.22996, experiments.
    """
    if prompt + 1 > capacity:
        raise InputError(f"prompt + 1 must fit the capacity of {capacity} tokens")
    requests = [(0, prompt, capacity - prompt)] * long + [(0, prompt, 1)] * short
    return Trace.of(requests, "two-point trap")


@dataclass(frozen=True)
class Worst:
    """The worst instance that a search found: its ratio to ``bound``, and how many instances were tried."""

    trace: Trace
    capacity: int
    total: float
    bound: float
    tried: int

    @property
    def ratio(self) -> float:
        """Total latency over the bound, a lower bound on how far the policy can be from the optimum
        when ``bound`` is the optimum, an upper one when it is a lower bound."""
        return self.total / self.bound


@dataclass(frozen=True)
class Search:
    """Where a search looks.

    Attributes
    ----------
    requests : at most so many per instance.
    capacity : M, tokens; every request fits.
    horizon : arrivals lie in 0 … horizon, rounds; 0 for all at once.
    equal_prompts : give all requests of an instance one prompt length.
    tries : instances: a fifth random, the others by local search from the worst so far.
    seed : of all draws.
    like : a trace: each request has the prompt and output of one of its own; None for all that fit.
    """

    requests: int = 6
    capacity: int = 20
    horizon: int = 0
    equal_prompts: bool = False
    tries: int = 1000
    seed: int = 0
    like: Trace | None = None

    def __post_init__(self) -> None:
        for name, least in (("requests", 1), ("capacity", 2), ("horizon", 0), ("tries", 1)):
            value = getattr(self, name)
            if value < least:
                raise InputError(f"{name} of the search must be at least {least}, not {value}")
        if self.like is not None and self.equal_prompts:
            raise InputError("the prompts of a trace are what they are: no equal prompts")


def worst_instance(
    play: Play, bound: Callable[[Trace, int], float], search: Search, stop: Callable[[], bool] = lambda: False
) -> Worst:
    """Look for the instance on which a policy's total latency is the largest multiple of ``bound``.

    Random instances first, then local search: one request is added, dropped, copied or changed at a time, and
    a change is kept when the ratio does not fall.

    Parameters
    ----------
    play : the policy at ``search.capacity``.
    bound : (trace, capacity) -> the optimum or a lower bound of the total latency, rounds.
    search : sizes, effort and seed.
    stop : asked after every instance; ends the search with the worst so far.

    Raises
    ------
    InputError
        If the policy settles on none of the instances tried.
    """
    rng = np.random.default_rng(search.seed)
    best: Worst | None = None
    rows: Ints = np.zeros((0, 3), dtype=np.int64)
    tried = 0
    while tried < search.tries and not (tried and stop()):
        tried += 1
        fresh = best is None or tried <= search.tries // 5
        candidate = _drawn(rng, search) if fresh else _changed(rng, search, rows)
        found = _judge(play, bound, search, candidate, tried)
        if found is not None and (best is None or found.ratio >= best.ratio):
            best, rows = found, candidate
    if best is None:
        raise InputError("the policy settled on none of the instances tried; nothing to report")
    return Worst(best.trace, best.capacity, best.total, best.bound, tried)


def _judge(play: Play, bound: Callable[[Trace, int], float], search: Search, rows: Ints, tried: int) -> Worst | None:
    trace = Trace.of([(a, s, o) for a, s, o in rows], f"worst instance, seed {search.seed}")
    try:
        finish = play(trace)
    except PolicyError:
        return None
    if not np.all(np.isfinite(finish)):
        return None
    return Worst(trace, search.capacity, float((finish - trace.arrival).sum()), bound(trace, search.capacity), tried)


def _request(rng: np.random.Generator, search: Search, prompt: int | None) -> tuple[int, int, int]:
    """One request that fits. Half of the draws are log-uniform, so that short and long meet."""

    def draw(high: int) -> int:
        if rng.random() < 0.5:
            return int(rng.integers(1, high + 1))
        return int(math.exp(rng.uniform(0, math.log(high + 1))))

    arrival = int(rng.integers(0, search.horizon + 1))
    if search.like is not None:
        of = rng.integers(len(search.like))
        return arrival, int(search.like.prompt[of]), int(search.like.output[of])
    prompt = draw(search.capacity - 1) if prompt is None else prompt
    return (
        arrival,
        prompt,
        min(draw(search.capacity - prompt), search.capacity - prompt),
    )


def _drawn(rng: np.random.Generator, search: Search) -> Ints:
    prompt = int(rng.integers(1, max(2, search.capacity // 2))) if search.equal_prompts else None
    count = int(rng.integers(1, search.requests + 1))
    return _sorted([_request(rng, search, prompt) for _ in range(count)])


def _changed(rng: np.random.Generator, search: Search, rows: Ints) -> Ints:
    requests = [(int(a), int(s), int(o)) for a, s, o in rows]
    at = int(rng.integers(len(requests)))
    prompt = requests[0][1] if search.equal_prompts else None
    move = int(rng.integers(5))
    if move == 0 and len(requests) < search.requests:
        requests.append(_request(rng, search, prompt))
    elif move == 1 and len(requests) < search.requests:
        requests.append(requests[at])
    elif move == 2 and len(requests) > 1:
        requests.pop(at)
    elif move == 3:
        requests[at] = _request(rng, search, prompt)
    else:
        requests[at] = _nudged(rng, search, requests[at])
    return _sorted(requests)


def _nudged(rng: np.random.Generator, search: Search, request: tuple[int, int, int]) -> tuple[int, int, int]:
    arrival, prompt, output = request
    arrival = min(max(arrival + int(rng.integers(-2, 3)), 0), search.horizon)
    if search.like is not None:
        return arrival, prompt, output
    if not search.equal_prompts:
        prompt = min(max(prompt + int(rng.integers(-2, 3)), 1), search.capacity - 1)
    return arrival, prompt, min(max(output + int(rng.integers(-2, 3)), 1), search.capacity - prompt)


def _sorted(requests: list[tuple[int, int, int]]) -> Ints:
    rows = np.array(requests, dtype=np.int64).reshape(-1, 3)
    return rows[np.argsort(rows[:, 0], kind="mergesort")]
