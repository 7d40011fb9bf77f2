"""Routers on a fleet of unlike replicas, and how fast a large fleet runs.

    python benchmarks/routers.py [--million]

Two H100 and four RTX 4090 with Llama-3.1-8B, azure-conv (requests that fit the smaller), svf on each replica, 20,000
requests, means of three seeds. With --million: a million requests over 64 RTX 4090, seconds in all.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from plimsoll import read_trace, serving
from plimsoll.experiment.run import run
from plimsoll.fleet.fleet import Fleet

ROUTERS = ("round-robin", "random", "power-of-two", "least-requests", "least-kv", "least-work", "matching")
RATES, SEEDS, REQUESTS = (20.0, 35.0, 45.0), 3, 20_000


def main() -> None:
    small, large = (serving(gpu=gpu, model="llama-3.1-8b") for gpu in ("rtx-4090", "h100"))
    if "--million" in sys.argv:
        million(small)
        return
    print("| router |" + "".join(f" {rate:g}/s: mean, p99 s, ratio |" for rate in RATES))
    print("|---|" + "---|" * len(RATES))
    for router in ROUTERS:
        cells = []
        for rate in RATES:
            done = []
            for seed in range(SEEDS):
                drawn = read_trace("azure-conv", requests=REQUESTS, rate=rate, seed=seed)
                trace, _ = drawn.fitting(small.capacity, drop=True)
                done.append(run(trace, "svf", Fleet([large] * 2 + [small] * 4, router), seed=seed))
            mean = np.mean([each.result.latency.mean() for each in done])
            p99 = np.mean([np.percentile(each.result.latency, 99) for each in done])
            cells.append(f" {mean:.2f}, {p99:.1f}, {np.mean([each.ratio for each in done]):.2f} |")
        print(f"| `{router}` |" + "".join(cells), flush=True)


def million(small: object) -> None:
    trace = read_trace("azure-conv", requests=1_000_000, rate=64 * 4.0).fitting(small.capacity, drop=True)[0]
    for router in ROUTERS:
        began = time.perf_counter()
        done = run(trace, "svf", Fleet([small] * 64, router))
        took = time.perf_counter() - began
        mean = done.result.latency.mean()
        print(f"{router}: {took:.1f} s in all, {done.result.wall_s:.1f} s in the loop, mean {mean:.1f} s", flush=True)


if __name__ == "__main__":
    main()
