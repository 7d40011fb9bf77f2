"""Service level attainment: the share of requests within their limits, as the arrival rate changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..host.result import Floats, Result
from ..metrics import within
from ..policy.load import default_predictor, load_policy
from ..progress import Progress
from ..simulation import Host, simulate
from ..trace import Trace, mean_rate


@dataclass(frozen=True)
class Limits:
    """What a request must keep to, each in the host's unit; infinite where nothing is asked.

    Attributes
    ----------
    ttft : time to first token.
    tpot : time per output token after the first.
    latency : from arrival to finish.
    """

    ttft: float = np.inf
    tpot: float = np.inf
    latency: float = np.inf

    @staticmethod
    def parse(text: str) -> Limits:
        """Limits written as ``ttft<=2,tpot<=0.1``.

        Raises
        ------
        InputError
            If a name is not one of the three, or a limit is no positive number.

        Examples
        --------
        >>> str(Limits.parse("ttft<=2,latency<=60"))
        'ttft<=2,latency<=60'
        """
        given: dict[str, float] = {}
        for part in text.split(","):
            name, _, limit = (side.strip() for side in part.partition("<="))
            try:
                given[name] = float(limit)
            except ValueError:
                given[name] = 0.0
            if name not in ("ttft", "tpot", "latency") or not given[name] > 0:
                raise InputError(f"--slo must be as ttft<=2,tpot<=0.1,latency<=60, not {text!r}")
        return Limits(**given)

    def __str__(self) -> str:
        return ",".join(f"{name}<={limit:g}" for name, limit in asdict(self).items() if np.isfinite(limit))

    def words(self, unit: str) -> str:
        """The limits as a person reads them."""
        given = [(name, limit) for name, limit in asdict(self).items() if np.isfinite(limit)]
        return " and ".join(
            f"{name if name == 'latency' else name.upper()} ≤ {limit:g} {unit}" for name, limit in given
        )

    def share(self, result: Result) -> float:
        """The share of all requests of a run that finished within every limit."""
        return float(within(result, self.ttft, self.tpot, self.latency).mean())


@dataclass(frozen=True)
class Attained:
    """One policy with one predictor over a grid of rates.

    Attributes
    ----------
    rates : shape (k,), requests per second, ascending; ``own`` is the trace's.
    share : shape (k,), of the requests that finished within the limits; one that never finished did not.
    """

    policy: str
    predictor: str
    limits: Limits
    own: float
    rates: Floats
    share: Floats

    def to_json(self) -> dict[str, Any]:
        """As ``compare --json`` prints it."""
        told = {"policy": self.policy, "predictor": self.predictor, "slo": str(self.limits)}
        return {**told, "rates_per_s": self.rates.tolist(), "share": self.share.tolist()}


def attainment(
    trace: Trace,
    policies: Sequence[str],
    host: Host,
    rates: Sequence[float],
    limits: Limits,
    predictors: Sequence[str | None] = (None,),
    seed: int = 0,
    watch: Callable[[str, int, int], Progress | None] = lambda name, done, total: None,
) -> list[Attained]:
    """Run every policy with every predictor at every rate.

    Parameters
    ----------
    rates : requests per second; the trace's arrivals are stretched to each.
    watch : called with (policy and rate, runs done, runs in all) before each run.

    Raises
    ------
    InputError
        If a rate is not positive, or the trace's rate cannot be changed.
    """
    grid = np.unique(np.array(rates, dtype=np.float64))
    stretched = [trace.at_rate(float(rate)) for rate in grid]
    pairs = [(policy, predictor) for policy in policies for predictor in predictors]
    own = mean_rate(trace.arrival)
    assert own is not None  # at_rate has refused a trace without one
    found: list[Attained] = []
    for policy, predictor in pairs:
        believed = default_predictor(load_policy(policy)) if predictor is None else predictor
        share = np.empty(len(grid))
        for k, requests in enumerate(stretched):
            progress = watch(f"{policy} at {grid[k]:g}/s", len(found) * len(grid) + k, len(pairs) * len(grid))
            share[k] = limits.share(simulate(requests, policy, host, believed, seed, progress=progress))
        found.append(Attained(policy, believed, limits, own, grid, share))
    return found
