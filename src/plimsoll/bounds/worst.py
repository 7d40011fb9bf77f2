"""A search for the instance on which a policy does worst, against the optimum."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import PolicyError
from ..host.discrete import Rounds
from ..policy import load_policy
from ..simulation import simulate
from ..trace import Floats, Trace
from .adversary import Search, Worst, worst_instance
from .area import lower_bound
from .interrupt import heard
from .solve import Interval, bound, check_limit

LEFT_S = 0.1  # for the optimum of the instance, when the search has used all the time


@dataclass(frozen=True)
class Found:
    """The worst instance found, and what is known of its optimum."""

    worst: Worst
    optimum: Interval

    def to_json(self) -> dict[str, Any]:
        """The answer of ``plimsoll bound --worst POLICY --json``."""
        trace = self.worst.trace
        rows = zip(trace.arrival.tolist(), trace.prompt.tolist(), trace.output.tolist(), strict=True)
        return {
            "schema": 1,
            "capacity_tokens": self.worst.capacity,
            "requests": [{"arrival": a, "prompt": s, "output": o} for a, s, o in rows],
            "total": self.worst.total,
            "optimum_lower": self.optimum.lower,
            "optimum_upper": self.optimum.upper,
            "ratio_at_least": self.worst.total / self.optimum.upper,
            "ratio_at_most": self.worst.total / self.optimum.lower,
            "tried": self.worst.tried,
        }


def find_worst(
    policy: Any, search: Search, *, predictor: Any = "exact", time_limit: float = 10.0, max_rounds: int = 1 << 20
) -> Found:
    """Look for the instance with the largest ratio of a policy's total latency to the certified lower bound.

    Instances on which the policy does not finish within ``max_rounds`` are passed over. The search ends after two
    thirds of ``time_limit`` seconds, if its tries have not ended it before, or with Ctrl-C; the optimum of the instance
    found is then solved for in what is left.

    Raises
    ------
    InputError
        If the policy settles on none of the instances tried, or a parameter is out of range.
    """
    check_limit(time_limit)
    began = time.perf_counter()
    loaded, host = load_policy(policy), Rounds(search.capacity, rounds_per_s=1, max_rounds=max_rounds)

    def play(trace: Trace) -> Floats:
        result = simulate(trace, loaded, host, predictor, search.seed)
        if result.status != "ok":
            raise PolicyError(result.reason)
        return result.finish

    def least(trace: Trace, capacity: int) -> float:
        return lower_bound(trace.arrival.astype(np.int64), trace.prompt, trace.output, capacity)

    with heard() as interrupted:
        worst = worst_instance(
            play, least, search, lambda: interrupted() or time.perf_counter() - began >= time_limit * 2 / 3
        )
        left = LEFT_S if interrupted() else max(LEFT_S, time_limit - (time.perf_counter() - began))
    return Found(worst, bound(worst.trace, search.capacity, left, rounds_per_s=1, seed=search.seed))
