"""A certified lower bound on the total latency of any schedule in the serving host, on one replica or on a fleet.

Proof. Request i takes at least w_i seconds of the host (see ``machine``), so all replicas together get through
requests no faster than one preemptive machine, whoever goes where. On that machine least remaining work first
has, at every instant, finished as many as anything can (Schrage 1968). Also no request finishes before the least
seconds of its own steps on the replica where these are shortest. The k-th finish of any schedule is no earlier than
the k-th of either, and the total is at least the sum of the larger.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..host.serving import Serving
from ..trace import Floats, Trace
from .area import finishes
from .machine import amounts, dearest, decodes, kinds, pace, prompts

TICKS = 1e9
"""Per second: the machine counts in whole nanoseconds, rounded down."""
SLACK = 1e-9
"""Given away, so that sums of floats cannot lift the bound above the truth."""


def serving_bound(trace: Trace, replicas: Sequence[Serving]) -> float | None:
    """The least total latency of any routing and any schedule, seconds.

    Returns
    -------
    None where it does not hold: later turns wait for earlier ones, or clients give up.
    """
    first = replicas[0]
    if first.closed_loop or first.timeout_s is not None or "cancel_s" in trace.more:
        return None
    worth = amounts(trace, first)
    alone = np.min([own_seconds(worth, trace, replica) for replica, _ in kinds(replicas)], axis=0)
    own = np.sort(trace.arrival + alone)
    release = np.floor(trace.arrival * TICKS).astype(np.int64)
    latest = own
    for prices in (worth, worth * (1, 0, 0)):
        work = np.floor(dearest(prices, replicas) * TICKS).astype(np.int64)
        latest = np.maximum(latest, finishes(release, work) / TICKS)
    return (1 - SLACK) * float(latest.sum() - trace.arrival.sum())


def own_seconds(worth: Floats, trace: Trace, host: Serving) -> Floats:
    """The least seconds that each request's own steps take one after another, shape (n,).

    Those of its prompt first. Then each token after the first needs a step of decodes, longer by what the request
    holds, or one with prompt tokens, as after an eviction.

    Parameters
    ----------
    worth : shape (n, 3), see ``machine.amounts``.
    """
    decode, prompt, later = decodes(host), prompts(host), worth[:, 2]
    shortest, beside, slope = decode[:, 3].min(), prompt[:, 3].min(), host.step_time().coefficients[0]
    prefill = np.maximum(beside, np.maximum(worth[:, 1] - later, 0.0) / pace(prompt, np.array([0.0, 1.0, 0.0])))
    reach = (beside - shortest) / max(slope, 1e-300) - trace.prompt
    short = np.clip(np.floor(reach), 0.0, later)
    held = short * trace.prompt + short * (short + 1) / 2
    return prefill + short * shortest + slope * held + (later - short) * beside
