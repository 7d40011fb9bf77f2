"""Routers: which replica a request goes to. Blind ones look at the request alone, the others at the replicas too."""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..named import load
from ..trace import Floats, Ints, Trace

REQUESTS, KV, WORK, MATCH = range(4)  # what a router that looks at the replicas goes by


class RoundRobin(NamedTuple):
    """Each replica in turn."""

    def route(self, trace: Trace, fits: Any, rng: np.random.Generator) -> Ints:
        """A replica for each request; ``fits`` of shape (n, replicas) says where it can go."""
        turn = np.arange(len(trace))
        return _pick(fits, turn % fits.shape[1])


class Random(NamedTuple):
    """Any replica, all as likely."""

    def route(self, trace: Trace, fits: Any, rng: np.random.Generator) -> Ints:
        """See ``RoundRobin``."""
        return _pick(fits, rng.integers(fits.shape[1], size=len(trace)))


class Sticky(NamedTuple):
    """All of a session, or of a client where there are no sessions, to one replica."""

    def route(self, trace: Trace, fits: Any, rng: np.random.Generator) -> Ints:
        """See ``RoundRobin``."""
        keys = trace.session if trace.session is not None else trace.client
        if keys is None:
            raise InputError(f"{trace.name}: --router sticky needs a column session or client")
        names, place = np.unique(keys, return_inverse=True)
        return _pick(fits, np.array([zlib.crc32(str(name).encode()) for name in names])[place] % fits.shape[1])


class Prefix(NamedTuple):
    """Prompts that begin alike to one replica.

    depth : runs of prompt tokens (``hash_ids``) that must be alike.
    """

    depth: int = 1

    def route(self, trace: Trace, fits: Any, rng: np.random.Generator) -> Ints:
        """See ``RoundRobin``."""
        if "hash_ids" not in trace.more:
            raise InputError(f"{trace.name}: --router prefix needs a column hash_ids")
        heads = [",".join(map(str, list(row)[: self.depth])) for row in trace.more["hash_ids"]]
        return _pick(fits, np.array([zlib.crc32(head.encode()) for head in heads]) % fits.shape[1])


class PowerOfTwo(NamedTuple):
    """Of two replicas drawn at random, the one with fewer requests (Mitzenmacher 2001)."""

    looks = REQUESTS


class LeastRequests(NamedTuple):
    """The replica with the fewest requests, waiting or running."""

    looks = REQUESTS


class LeastKv(NamedTuple):
    """The replica whose memory is promised least: tokens held and prompts that wait, over its size."""

    looks = KV


class LeastWork(NamedTuple):
    """The replica that is done soonest: predicted volume that remains, over its speed."""

    looks = WORK


class Matching(NamedTuple):
    """The replica where the request adds least to the latencies of all.

    Its own wait, prompt and steps, what they add to the steps of those that run, and the delay of the larger volumes
    that wait: immediate dispatch to unrelated machines by the least increase of the total (Anand, Garg, Kumar, SODA
    2012).
    A request's time on a machine is its volume over what the machine's memory turns over in a second.
    """

    looks = MATCH


ROUTERS: dict[str, Any] = {
    "round-robin": RoundRobin,
    "random": Random,
    "power-of-two": PowerOfTwo,
    "least-requests": LeastRequests,
    "least-kv": LeastKv,
    "least-work": LeastWork,
    "matching": Matching,
    "sticky": Sticky,
    "prefix": Prefix,
}


def load_router(spec: str) -> Any:
    """A router by name, with parameters after a colon: ``least-requests``, ``prefix:depth=2``.

    Raises
    ------
    InputError
        For an unknown name or parameter.
    """
    return load(spec, ROUTERS, "router", "route")


def is_blind(router: Any) -> bool:
    """True if the router looks at requests alone."""
    return hasattr(router, "route")


def _pick(fits: Any, wanted: Ints) -> Ints:
    """The wanted replica where the request fits there, else the next one where it does."""
    picked = np.array(wanted)
    rows = np.arange(len(picked))
    for _ in range(fits.shape[1]):
        bad = ~fits[rows, picked]
        if not bad.any():
            break
        picked[bad] = (picked[bad] + 1) % fits.shape[1]
    return picked


def speeds(replicas: Any) -> Floats:
    """Token-steps that each replica turns over in a second when its memory is full, shape (replicas,)."""
    held = 1024  # tokens of a usual request; the batch matters little beside the memory
    batch = [max(1, min(each.max_num_seqs, each.capacity // held)) for each in replicas]
    seconds = [each.step_time().decode(k, each.capacity) for each, k in zip(replicas, batch, strict=True)]
    return np.array([each.capacity / took for each, took in zip(replicas, seconds, strict=True)])
