"""Why objectives cannot be kept however easy the setting: the policy, one request's steps, or requests together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..host.result import Result
from ..simulation import Host, simulate
from ..trace import Trace
from .objective import FIGURES, Objective

TOGETHER = {
    "rate": "requests that come at the same instant",
    "memory": "the time of the steps, not memory: requests come as fast as that",
    "replicas": "requests that come at the same instant",
}
"""What is left to bind where each request would keep the objectives alone, by what is varied."""


def binding(missed: Sequence[Objective], policy: str, trace: Trace, host: Host, varied: str) -> str:
    """What binds, in words, at a setting so easy that it should be kept.

    Parameters
    ----------
    missed : objectives that ``policy`` does not keep on this trace and host.
    varied : the name of the axis.

    First come, first served never waits without need, so what it keeps is missed by the policy's own waiting. What
    each request misses when the server is its own is bound by the steps.
    """
    plain = simulate(trace, "fcfs", host)
    alone = None if trace.session is not None else simulate(_one_at_a_time(trace, plain, host), "fcfs", host)
    found: list[str] = []
    for objective in missed:
        if objective.value(plain) <= objective.limit:
            found.append(f"the waiting of {policy} itself, for fcfs keeps them")
        elif alone is not None and objective.value(alone) <= objective.limit:
            found.append(TOGETHER[varied])
        else:
            found.append(FIGURES[objective.figure])
    return " and ".join(dict.fromkeys(found))


def _one_at_a_time(trace: Trace, plain: Result, host: Host) -> Trace:
    """The requests so far apart that each has gone before the next one comes."""
    longest = float(np.nanmax(plain.latency)) / (1.0 if plain.unit == "s" else getattr(host, "rounds_per_s", 1.0))
    return replace(trace, arrival=np.arange(len(trace)) * 2.0 * longest)
