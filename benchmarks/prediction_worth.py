"""What knowing the output length is worth: latency against the quality of the prediction.

Run as ``python benchmarks/prediction_worth.py [PICTURE.svg]``. Rounds host, built-in workloads, mean over three seeds
of the predictor. Latency (mean/p99) is relative to the best first come, first served among watermarks 0, 1, 2, 5
and 10 %, which knows nothing. Quality is the Spearman correlation of the prediction with the output. Prints one
table per workload, and the correlation below which a policy does better with no prediction at all (``constant``,
which turns smallest volume first into shortest prompt first and MC-SF into first come, first served).
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from plimsoll import Trace, rounds, simulate
from plimsoll.source import read_trace
from plimsoll.workload import default_capacity

WORKLOADS = {  # requests, share of the workload's own capacity (where the load is about 1.1)
    "azure-conv": (6000, 1.0),
    "azure-code": (6000, 1.0),
    "mooncake": (6000, 1.0),
    "reasoning": (12000, 0.4),  # its memory fills only after hours at its own capacity
}
SIMPLE = ("fcfs", *(f"fcfs:watermark={share}" for share in (0.01, 0.02, 0.05, 0.1)))
POLICIES = ("mc-sf", "svf", "svf:age", "load-line")  # age is set from the workload, see ``ageing``
RHO = (1.0, 0.95, 0.9, 0.8, 0.6, 0.4, 0.2, 0.0, -0.3)
NAMED = (
    "exact",
    "noisy:0.2",
    "noisy:0.5",
    "noisy:0.8",
    "lognormal:0.5",
    "lognormal:1",
    "interval:0.5",
    "upper:2",
    "classes:5,means=fitted",
    "one-bit",
    "one-bit:flip=0.1",
    "online",
    "law",
    "constant",
)
SEEDS = (1, 2, 3)


class Cell(NamedTuple):
    """Mean and 99th percentile of latency, relative to the simple policy, and the prediction's Spearman."""

    mean: float
    p99: float
    rho: float


def latency(trace: Trace, capacity: int, policy: str, predictor: str, seed: int) -> tuple[float, float, Any]:
    """Mean and p99 of a run, in rounds; infinite where it does not end."""
    run = simulate(trace, policy, rounds(capacity=capacity), predictor, seed)
    if run.status != "ok":
        return np.inf, np.inf, run
    return float(run.latency.mean()), float(np.percentile(run.latency, 99)), run


def spearman(one: Any, other: Any) -> float:
    """Rank correlation with mid ranks for ties; 0 for a constant."""

    def middle(values: Any) -> Any:
        _, where, count = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(count) - (count - 1) / 2)[where]

    ranks = middle(one), middle(other)
    return 0.0 if np.ptp(ranks[0]) == 0 else float(np.corrcoef(*ranks)[0, 1])


def cell(trace: Trace, capacity: int, policy: str, predictor: str, simple: tuple[float, float]) -> Cell:
    """One policy with one predictor, averaged over SEEDS."""
    found = [latency(trace, capacity, policy, predictor, seed) for seed in SEEDS]
    mean, p99 = (float(np.mean([run[k] for run in found])) / simple[k] for k in (0, 1))
    # an eviction raises a prediction: judge those that were never evicted
    kept = found[0][2].evictions == 0
    return Cell(mean, p99, spearman(found[0][2].predicted[kept], trace.output[kept]))


def crossing(mean: list[float], without: float) -> str:
    """Where the mean along RHO crosses what the policy reaches without a prediction, in words."""
    for k in range(len(RHO) - 1):
        if mean[k] <= without < mean[k + 1]:
            share = (without - mean[k]) / (mean[k + 1] - mean[k])
            return f"no prediction is better below rho {RHO[k] + share * (RHO[k + 1] - RHO[k]):.2f}"
    return "no prediction is always better" if mean[0] > without else "a prediction never does harm"


def ageing(trace: Trace) -> float:
    """One mean volume per 240 mean intervals between arrivals, tokens (a weight per round)."""
    gap = float(np.diff(trace.arrival).mean()) * 20
    return float(trace.volume.mean()) / (240 * gap)


def measure(name: str, requests: int, share: float) -> dict[str, list[float]]:
    """Print a workload's table; the mean latency of each policy along RHO comes back."""
    trace = read_trace(name, requests=requests)
    capacity = int(share * default_capacity(name))
    by_watermark = [latency(trace, capacity, policy, "constant", 0)[:2] for policy in SIMPLE]
    simple = min(by_watermark)
    print(f"\n{name}: {requests} requests, M = {capacity}")
    print(f"1 = {SIMPLE[by_watermark.index(simple)]}, mean {simple[0]:.0f}, p99 {simple[1]:.0f} rounds")
    print(f"{'predictor':24} {'rho':>5} " + " ".join(f"{policy:>12}" for policy in POLICIES))
    specs = [f"svf:age={ageing(trace):.6g}" if policy == "svf:age" else policy for policy in POLICIES]
    curves: dict[str, list[float]] = {policy: [] for policy in POLICIES}
    for predictor in (*(f"rank:{rho}" for rho in RHO), *NAMED):
        row = [cell(trace, capacity, policy, predictor, simple) for policy in specs]
        figures = " ".join(f"{f'{c.mean:.2f}/{c.p99:.2f}':>12}" for c in row)
        print(f"{predictor:24} {row[1].rho:5.2f} {figures}", flush=True)
        if predictor.startswith("rank") or predictor == "constant":
            for policy, c in zip(POLICIES, row, strict=True):
                curves[policy].append(c.mean)
    for policy in POLICIES:
        *along, without = curves[policy]
        print(f"  {policy}: {crossing(along, without)}")
    return curves


def draw(curves: dict[str, dict[str, list[float]]], path: str) -> None:
    """The curves as a picture; dashed, the same policy without a prediction."""
    from matplotlib import pyplot

    pyplot.rcParams["svg.fonttype"] = "none"
    pyplot.rcParams["svg.hashsalt"] = "plimsoll"
    figure, axes = pyplot.subplots(1, len(curves), figsize=(3.2 * len(curves), 3.2), sharey=True)
    for axis, (name, lines) in zip(np.atleast_1d(axes), curves.items(), strict=True):
        for policy in ("svf", "mc-sf", "load-line"):
            line = axis.plot(RHO, lines[policy][:-1], marker="o", markersize=3, label=policy)[0]
            axis.axhline(lines[policy][-1], linestyle="--", linewidth=0.8, color=line.get_color())
        axis.set(title=name, xlabel="rank correlation of the prediction", yscale="log")
        axis.invert_xaxis()
    axes[0].set_ylabel("mean latency, best FCFS = 1")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    curves = {name: measure(name, requests, share) for name, (requests, share) in WORKLOADS.items()}
    if len(sys.argv) > 1:
        draw(curves, sys.argv[1])


if __name__ == "__main__":
    main()
