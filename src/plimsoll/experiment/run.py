"""One run with everything that is said about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..bounds.area import lower_bound
from ..bounds.machine import load_of
from ..bounds.serving import serving_bound
from ..fairness import by_client
from ..fleet.fleet import Fleet
from ..host.result import Result
from ..host.serving import Serving
from ..metrics import figures, per_million_tokens
from ..policy.load import default_predictor, load_policy
from ..progress import Progress
from ..simulation import Host, simulate
from ..trace import Trace


@dataclass(frozen=True)
class Run:
    """A result, how it came about, and its certified distance from the best possible.

    Attributes
    ----------
    policy, predictor : as named by the user.
    machine : the host that ran it.
    load : machine time that arrives over that which there is (see ``bounds.machine``); above 1 the queue grows.
        None where all arrive at once or by several clocks.
    lower_bound_total : no schedule has a smaller total latency; None where no bound applies.
    """

    trace: str
    requests: int
    policy: str
    predictor: str
    host: str
    load: float | None
    seed: int
    machine: Host
    result: Result
    lower_bound_total: float | None

    @property
    def ratio(self) -> float | None:
        """Total latency over the certified bound; None where no bound applies or the run did not finish."""
        if self.lower_bound_total is None or self.result.status != "ok" or self.lower_bound_total <= 0:
            return None
        return float(self.result.latency.sum()) / self.lower_bound_total

    def to_json(self) -> dict[str, Any]:
        """The object that ``run --json`` prints."""
        told = figures(self.result)
        status, wall_s = told.pop("status"), told.pop("wall_s")
        capacity, unit = told.pop("capacity_tokens"), told.pop("unit")
        return {
            "schema": 1,
            "trace": self.trace,
            "requests": self.requests,
            "policy": self.policy,
            "predictor": self.predictor,
            "host": self.host,
            "status": status,
            **({"reason": self.result.reason} if self.result.reason else {}),
            "capacity_tokens": capacity,
            "unit": unit,
            "load": self.load,
            **told,
            **({} if self.machine.basis is None else {"basis": self.machine.basis}),
            **(
                {"serving": self.result.more | per_million_tokens(self.result)}
                if self.host in ("serving", "fleet")
                else {}
            ),
            "lower_bound_total": self.lower_bound_total,
            "ratio": self.ratio,
            **({} if self.result.client is None else by_client(self.result)),
            "wall_s": wall_s,
            "seed": self.seed,
        }


def bound_for(trace: Trace, host: Host) -> float | None:
    """The certified lower bound on total latency of any schedule; None where none is known."""
    if isinstance(host, Serving):
        return serving_bound(trace, [host])
    if isinstance(host, Fleet):
        return serving_bound(trace, host.replicas)
    if host.unit != "rounds":
        return None
    return lower_bound(host.arrivals(trace).astype("int64"), trace.prompt, trace.output, host.capacity)


def run(
    trace: Trace,
    policy: str,
    host: Host,
    predictor: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    bound: float | None = None,
    rejected: int = 0,
) -> Run:
    """Run one policy and say how far from the best possible it came.

    Parameters
    ----------
    bound : the certified lower bound, where it is known already.
    rejected : how many requests were left out of the trace because they can never fit.
    """
    believed = default_predictor(load_policy(policy)) if predictor is None else predictor
    result = simulate(trace, policy, host, believed, seed, progress=progress)
    result = replace(result, rejected=rejected)
    total = bound_for(trace, host) if bound is None else bound
    return Run(
        trace.name, len(trace), policy, believed, host.name, load_of(trace, host), seed, host, result, total
    )  # fmt: skip


def compare(
    trace: Trace,
    policies: Sequence[str],
    host: Host,
    predictors: Sequence[str | None] = (None,),
    seed: int = 0,
    watch: Callable[[str, int, int], Progress | None] = lambda name, done, total: None,
    rejected: int = 0,
) -> list[Run]:
    """Run every policy with every predictor on the same trace, best mean latency first, unstable runs last.

    Parameters
    ----------
    watch : called with (policy, runs done, runs in all) before each run; gives what is told of its progress.
    rejected : how many requests were left out of the trace because they can never fit.
    """
    bound = bound_for(trace, host)
    pairs = [(policy, predictor) for policy in policies for predictor in predictors]
    runs = [
        run(trace, policy, host, predictor, seed, watch(policy, done, len(pairs)), bound, rejected)
        for done, (policy, predictor) in enumerate(pairs)
    ]
    return sorted(runs, key=lambda r: (r.result.status != "ok", float(r.result.latency.mean())))
