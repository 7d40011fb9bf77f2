"""A certified lower bound on the total latency of any schedule on a fleet: area over summed speed.

Proof. A request of s prompt and o output tokens makes its u-th token, u ≥ 2, in a step in which it holds s + u - 1
tokens. On replica r no step turns over more than ``turnover`` tokens a second, so all replicas together spend
these volumes no faster than one preemptive machine of the summed speed, whoever goes where. On that machine least
remaining work first has, at every instant, finished as many as anything can (Schrage 1968). Also no request
finishes before its own o - 1 steps on the replica where these are shortest. The k-th finish of any schedule is no
earlier than the k-th of either, and the total is at least the sum of the larger.
"""

from __future__ import annotations

import numpy as np

from ..fleet.fleet import Fleet
from ..trace import Trace
from .area import finishes
from .speed import least_seconds, turnover


def fleet_bound(trace: Trace, fleet: Fleet) -> float | None:
    """The least total latency of any routing and any schedule, seconds.

    Returns
    -------
    None where it does not hold: prompts share blocks, later turns wait for earlier ones, or clients give up.
    """
    first = fleet.replicas[0]
    shared = {"hash_ids", "prefix_hit_tokens", "cancel_s"} & set(trace.more)
    if shared or first.prefix_caching or first.closed_loop or first.timeout_s is not None:
        return None
    speed = turnover(fleet)
    if not np.isfinite(speed):
        return None
    held = trace.prompt + 1
    volume = (trace.output - 1) * held + (trace.output - 1) * (trace.output - 2) // 2
    pooled = finishes(np.floor(trace.arrival * speed).astype(np.int64), volume) / speed
    alone = np.full(len(trace), np.inf)
    for replica in set(fleet.replicas):
        for fixed, per_token in least_seconds(replica):
            alone = np.minimum(alone, (trace.output - 1) * fixed + volume * per_token)
    own = np.sort(trace.arrival + alone)
    return float(np.maximum(pooled, own).sum() - trace.arrival.sum())
