"""Regret as the horizon grows: ``python benchmarks/regret.py [seeds]``; half a minute.

Requests of three known types come as a Poisson stream to the rounds host, at loads 0.7, 0.8 and 1. Regret is total
latency less a certified lower bound of what any schedule could have had that knew the whole trace. The bound is below
the optimum, so regret is overstated; the difference of two policies is not, for there the bound cancels.

Printed per request, mean over seeds, for horizons of 1,000 … 32,000 requests, then the slope of the logarithm of
the total regret over that of the horizon: 0 is regret that does not grow, 1 the same regret per request. Then,
of the longest runs, in how many a policy has less regret than svf, and the mean share of memory in use.
"""

from __future__ import annotations

import sys

import numpy as np

from plimsoll import Trace, rounds, simulate
from plimsoll.bounds.area import lower_bound, volume

MIXES = {  # (prompt, output) of each type; M is 20 times the largest request
    "one prompt length": [(5, 20), (5, 60), (5, 200)],
    "unlike prompts": [(400, 20), (20, 60), (20, 300)],
}
SHARE = np.array([0.6, 0.3, 0.1])
LOADS, HORIZONS, SEEDS = (0.7, 0.8, 1.0), (1000, 2000, 4000, 8000, 16_000, 32_000), 5
POLICIES = ("re-solve", "re-solve:saved=0", "svf", "mc-sf", "fcfs")


def stream(types: list[tuple[int, int]], load: float, capacity: int, requests: int, seed: int) -> Trace:
    """A Poisson stream that brings ``load`` · M token-rounds a round; a longer one begins like a shorter one."""
    prompt, output = np.array(types).T
    gap = float(SHARE @ volume(prompt, output)) / (load * capacity)
    times, kinds = (np.random.default_rng([seed, part]) for part in range(2))
    kind = kinds.choice(len(types), requests, p=SHARE)
    return Trace(np.floor(np.cumsum(times.exponential(gap, requests))), prompt[kind], output[kind], "types")


def regret(types: list[tuple[int, int]], load: float, requests: int, seed: int) -> list[tuple[float, float]]:
    """Of each policy: total latency less the bound, rounds, and the mean share of memory in use."""
    capacity = 20 * max(s + o for s, o in types)
    trace = stream(types, load, capacity, requests, seed)
    least = lower_bound(trace.arrival.astype(np.int64), trace.prompt, trace.output, capacity)
    host = rounds(capacity=capacity, rounds_per_s=1)
    results = [simulate(trace, policy, host) for policy in POLICIES]
    return [(float(result.latency.sum()) - least, result.mean_memory_use) for result in results]


def main(seeds: int = SEEDS) -> None:
    """Print a table per mix and load."""
    for name, types in MIXES.items():
        for load in LOADS:
            runs = np.array([[regret(types, load, n, seed) for seed in range(seeds)] for n in HORIZONS])
            total, use = np.moveaxis(runs.mean(axis=1), 2, 0)
            last = runs[-1, :, :, 0]
            below = (last < last[:, [POLICIES.index("svf")]]).sum(axis=0)
            print(f"{name}, load {load:g}\n  requests" + "".join(f"{policy:>18}" for policy in POLICIES))
            for n, row in zip(HORIZONS, total, strict=True):
                print(f"  {n:8,}" + "".join(f"{each / n:18.1f}" for each in row))
            slope = np.polyfit(np.log(HORIZONS), np.log(total), 1)[0]
            print("     slope" + "".join(f"{each:18.2f}" for each in slope))
            print(" below svf" + "".join(f"{f'{each} of {seeds}':>18}" for each in below))
            print("    memory" + "".join(f"{each:18.1%}" for each in use[-1]), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
