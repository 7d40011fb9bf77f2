"""Asymptotic theorems, measured: ``python benchmarks/theorems.py [wait] [nested] [route]``; all three take a minute.

wait: arrivals and speed scale by ζ = 1 … 16 over a fixed horizon. By arXiv 2504.11320 the throughput gap falls at least
as (ζT)^−1/2 and the latency, times ζ, grows at most as (ζT)^1/2 where ΔT = n/λ; with slack the gap falls as 1/(ζT) and
the latency is bounded. Printed: slopes of the logarithms over ζ.

nested: how often Nested WAIT evicts anybody when the capacity is the published requirement at δ; at most δ is promised.

route: Theorems 8 and 9 of arXiv 2607.09248: Route's makespan and RouteOnline's Σ completion times over lower bounds of
them, the worst of random instances by size; bounded ratios are promised.
"""

from __future__ import annotations

import sys

import numpy as np

from plimsoll import Trace, rounds, simulate
from plimsoll.bounds.area import combined, volume
from plimsoll.host.iterations import Iterations
from plimsoll.policies.nested import mix
from plimsoll.policy.fluid import LinearStep
from plimsoll.policy.thresholds import nested_memory, nested_thresholds

SCALES, HORIZON, SEEDS = (1, 2, 4, 8, 16), 400.0, 12


def poisson(rate: float, horizon: float, rng: np.random.Generator) -> np.ndarray:
    """Arrival times up to the horizon."""
    return np.sort(rng.uniform(0, horizon, rng.poisson(rate * horizon)))


def gap_and_latency(rate: float, threshold: int, scale: int, seed: int) -> tuple[float, float]:
    """WAIT on one type of 1 + 1 tokens, C = 12: the share that came and is not done, and ζ · mean latency."""
    arrival = poisson(rate * scale, HORIZON, np.random.default_rng([seed, scale]))
    ones = np.ones(len(arrival), dtype=np.int64)
    step = LinearStep(0.5 / scale, 1 / 24 / scale)
    result = simulate(Trace(arrival, ones, ones, "ones"), f"wait:types=1,threshold={threshold}", Iterations(12, step))
    done = int((result.finish <= HORIZON).sum())
    return (len(arrival) - done) / (rate * scale * HORIZON), scale * float(result.latency.mean())


def wait() -> None:
    """Slopes of gap and latency in ζ, at the edge and with slack."""
    for name, rate, threshold in (("ΔT = n/λ", 4.0, 4), ("ΔT < n/λ", 3.0, 3)):
        runs = np.array([[gap_and_latency(rate, threshold, z, s) for s in range(SEEDS)] for z in SCALES])
        gap, latency = runs.mean(axis=1).T
        falls, grows = (float(np.polyfit(np.log(SCALES), np.log(values), 1)[0]) for values in (gap, latency))
        print(f"wait, {name}: gap {np.round(gap, 5)}, slope {falls:.2f}")
        print(f"    latency {np.round(latency, 2)}, slope {grows:.2f}")


def nested(fail_prob: float = 0.1, runs: int = 60) -> None:
    """Overflow frequency at the published memory: outputs of 1 or 2 tokens, prompts of 1, 150 and 50 a second."""
    step, horizon, evicted, highest = LinearStep(0.2, 1e-4), 60.0, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        arrival = poisson(200.0, horizon, rng)
        output = 1 + (rng.random(len(arrival)) < 0.25)
        trace = Trace(arrival, np.ones(len(arrival), dtype=np.int64), output, "two lengths")
        requests = {"prompt": trace.prompt, "predicted": output.astype(float), "arrival": arrival}
        segments, rate = mix(requests, 2)
        count = nested_thresholds(segments, rate, step).count
        needs = nested_memory(segments, count, horizon / step.fixed_s, fail_prob, 2).required
        policy = f"nested-wait:segments=2,fixed_s={step.fixed_s},per_token_s={step.per_token_s}"
        result = simulate(trace, policy, Iterations(int(np.ceil(needs)), step))
        evicted += bool(result.evictions.sum())
        highest = max(highest, result.peak_tokens)
    print(f"nested, δ = {fail_prob:g}: {evicted} of {runs} runs evicted somebody; peak {highest} of {needs:.0f} tokens")


def route(instances: int = 40) -> None:
    """The worst ratio of random instances by size."""
    for count in (10, 30, 100, 300, 1000):
        worst = np.zeros(3)
        for seed in range(instances):
            rng = np.random.default_rng([seed, count])
            capacity = int(rng.choice([64, 256, 1000]))
            prompt = np.minimum(rng.geometric(8 / capacity, count), capacity - 1)
            output = np.minimum(rng.geometric(8 / capacity, count), capacity - prompt)
            volumes, host = volume(prompt, output), rounds(capacity=capacity, rounds_per_s=1)
            burst = simulate(Trace(np.zeros(count), prompt, output, "random"), "route", host)
            least = max(int(output.max()), float(volumes.sum()) / capacity)
            arrival = np.sort(rng.integers(0, max(2, int(2 * least)), count)).astype(float)
            online = simulate(Trace(arrival, prompt, output, "random"), "route-online", host)
            at_once = combined(np.zeros(count, dtype=np.int64), prompt, output, capacity)
            ratios = (
                burst.finish.max() / least,
                online.finish.sum() / max(at_once, float((arrival + output).sum())),
                online.finish.max() / max(least, float((arrival + output).max())),
            )
            worst = np.maximum(worst, ratios)
        print(
            f"route, {count:5} requests: makespan ≤ {worst[0]:.1f} × bound; online Σ completion ≤ {worst[1]:.1f} ×, "
            f"makespan ≤ {worst[2]:.1f} ×",
            flush=True,
        )


if __name__ == "__main__":
    for name in sys.argv[1:] or ("wait", "nested", "route"):
        {"wait": wait, "nested": nested, "route": route}[name]()
