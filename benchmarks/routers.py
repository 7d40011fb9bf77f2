"""Routers on fleets of unlike replicas, and how fast a large fleet runs.

    python benchmarks/routers.py [--fleets [POLICY [PREDICTOR]] | --million]

Two H100 and four RTX 4090 with Llama-3.1-8B, azure-conv (requests that fit the smaller), svf on each replica, 20,000
requests, means of three seeds. With --fleets: ``matching`` beside the routers next to it on fleets that are unlike in
GPU, in memory, in tensor parallelism, and not at all, quotients with Student's 95 % interval over four seeds. With
--million: a million requests over 64 RTX 4090, seconds in all.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from plimsoll import read_trace, serving, simulate
from plimsoll.experiment.confidence import interval
from plimsoll.experiment.run import run
from plimsoll.fleet.fleet import Fleet

ROUTERS = ("round-robin", "random", "power-of-two", "least-requests", "least-kv", "least-work", "matching")
RATES, SEEDS, REQUESTS = (20.0, 35.0, 45.0), 3, 20_000
LOADS, FLEET_SEEDS, FLEET_REQUESTS = (0.05, 0.15, 0.3, 0.45), 4, 5_000


def small(**options: Any) -> Any:
    return serving(model="llama-3.1-8b", **options)


def large(tp: int) -> Any:
    return serving(model="llama-3.1-70b", gpu="h100", tp=tp)


def main() -> None:
    if "--million" in sys.argv:
        million()
    elif "--fleets" in sys.argv:
        fleets(*sys.argv[2:])
    else:
        rates()


def rates() -> None:
    print("| router |" + "".join(f" {rate:g}/s: mean, p99 s, ratio |" for rate in RATES))
    print("|---|" + "---|" * len(RATES))
    replicas = [small(gpu="h100")] * 2 + [small(gpu="rtx-4090")] * 4
    for router in ROUTERS:
        cells = []
        for rate in RATES:
            done = []
            for seed in range(SEEDS):
                drawn = read_trace("azure-conv", requests=REQUESTS, rate=rate, seed=seed)
                trace, _ = drawn.fitting(replicas[-1].capacity, drop=True)
                done.append(run(trace, "svf", Fleet(replicas, router), seed=seed))
            mean = np.mean([each.result.latency.mean() for each in done])
            p99 = np.mean([np.percentile(each.result.latency, 99) for each in done])
            cells.append(f" {mean:.2f}, {p99:.1f}, {np.mean([each.ratio for each in done]):.2f} |")
        print(f"| `{router}` |" + "".join(cells), flush=True)


def fleets(policy: str = "svf", predictor: str = "exact") -> None:
    """Mean and p99 latency of ``matching`` over that of each other router, on the same requests."""
    unlike = {
        "2 H100, 4 RTX 4090": ([small(gpu="h100")] * 2 + [small(gpu="rtx-4090")] * 4, 44534108.51591155),
        "2 H100, 4 with an eighth of the memory": (
            [small(gpu="h100")] * 2 + [small(gpu="h100", blocks=3000)] * 4,
            61269751.7760804,
        ),
        "70B on 8, 4, 2, 2 H100": ([large(8), large(4), large(2), large(2)], 63761477.18638837),
        "6 H100, alike": ([small(gpu="h100")] * 6, 111866809.28507575),
    }  # and the token-steps a second that all memories together turn over in their shortest steps, the measure of load
    others = ("least-kv", "least-work")
    print("| fleet | load | mean, p99 s |" + "".join(f" over `{other}`: mean, p99 |" for other in others))
    print("|---|---|---|" + "---|" * len(others))
    for name, (replicas, turnover) in unlike.items():
        for load in LOADS:
            drawn = [_at(load * turnover, replicas, seed) for seed in range(FLEET_SEEDS)]
            found = {
                router: np.array([_latency(trace, policy, predictor, Fleet(replicas, router)) for trace in drawn])
                for router in (*others, "matching")
            }
            ours = found["matching"]
            cells = [_quotients(ours / found[other]) for other in others]
            print(
                f"| {name} | {load} | {ours[:, 0].mean():.2f}, {ours[:, 1].mean():.1f} |" + "".join(cells), flush=True
            )


def _at(volume_per_s: float, replicas: list[Any], seed: int) -> Any:
    """Requests that fit every replica, at the rate that brings so much volume."""
    trace = read_trace("azure-conv", requests=FLEET_REQUESTS, seed=seed)
    trace, _ = trace.fitting(min(replica.capacity for replica in replicas), drop=True)
    return trace.at_rate(volume_per_s / float(trace.volume.mean()))


def _latency(trace: Any, policy: str, predictor: str, fleet: Fleet) -> tuple[float, float]:
    latency = simulate(trace, policy, fleet, predictor).latency
    return float(latency.mean()), float(np.percentile(latency, 99))


def _quotients(values: Any) -> str:
    mean, p99 = (interval(column.tolist()) for column in values.T)
    return f" {mean.mean:.2f} ({mean.low:.2f}–{mean.high:.2f}), {p99.mean:.2f} ({p99.low:.2f}–{p99.high:.2f}) |"


def million() -> None:
    replica = small(gpu="rtx-4090")
    trace = read_trace("azure-conv", requests=1_000_000, rate=64 * 4.0).fitting(replica.capacity, drop=True)[0]
    for router in ROUTERS:
        began = time.perf_counter()
        done = run(trace, "svf", Fleet([replica] * 64, router))
        took = time.perf_counter() - began
        mean = done.result.latency.mean()
        print(f"{router}: {took:.1f} s in all, {done.result.wall_s:.1f} s in the loop, mean {mean:.1f} s", flush=True)


if __name__ == "__main__":
    main()
