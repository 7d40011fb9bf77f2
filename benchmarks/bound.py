"""Proofs, gaps and certified ratios of ``plimsoll bound``, on the synthetic laws of arXiv:2502.07115 and a
trace.

    python benchmarks/bound.py proofs --requests 12 --seeds 10
    python benchmarks/bound.py gaps --model 2
    python benchmarks/bound.py trace azure-conv --load 0.9

Model 1: M uniform in 30-50, prompt in 1-5, output in 1..M - prompt, all at 0. Model 2: Poisson arrivals at
a rate uniform in 0.5-1.5 a round. Limits are in processor seconds of the one thread that works, so that the
figures do not depend on what else the machine does; the load of the machine is printed all the same.
"""

from __future__ import annotations

import os
import statistics
import time

import numpy as np
from cyclopts import App

from plimsoll import Trace, read_trace, rounds, simulate
from plimsoll.bounds import levels, prices
from plimsoll.bounds.area import lower_bound
from plimsoll.bounds.problem import Problem, cost
from plimsoll.bounds.replay import confirmed
from plimsoll.bounds.solve import bound, problem_of
from plimsoll.errors import InputError

app = App(help=__doc__)


def instance(model: int, seed: int, requests: int | None) -> tuple[Trace, int]:
    """A draw from the papers' Model 1 or 2, arrivals in rounds; 40 to 60 requests unless ``requests`` says."""
    rng = np.random.default_rng(seed)
    capacity = int(rng.integers(30, 51))
    n = int(rng.integers(40, 61)) if requests is None else requests
    arrival = np.zeros(n)
    if model == 2:
        arrival = np.floor(np.cumsum(rng.exponential(1 / rng.uniform(0.5, 1.5), n)))
    prompt = rng.integers(1, 6, n)
    return Trace(arrival, prompt, rng.integers(1, capacity - prompt + 1), f"model {model}, seed {seed}"), capacity


def policy_total(trace: Trace, capacity: int, policy: str, rounds_per_s: float = 1.0) -> float:
    """Total latency of a policy, rounds; infinite where it does not finish."""
    host = rounds(capacity=capacity, rounds_per_s=rounds_per_s)
    result = simulate(trace, policy, host)
    return float(result.latency.sum()) if result.status == "ok" else float("inf")


def plain(problem: Problem, start: np.ndarray, seconds: float) -> float:
    """The same prices with every request on its own: the time-indexed linear program, from below."""
    horizon = int(1.1 * (start + problem.output).max()) + 25
    alone = levels.enumerate_states(problem.capacity, problem.capacity, problem.capacity)
    climb = prices.Climb(problem, alone, problem.capacity, prices.first_prices(problem, start, horizon))
    end = time.process_time() + seconds
    climb.advance(cost(problem, start), lambda: time.process_time() > end)
    return climb.bound


def machine() -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)


@app.command
def proofs(*, requests: int = 12, seeds: int = 10, first: int = 0, model: int = 1, limit: float = 60.0) -> None:
    """How many optima are proved within the limit, and what remains of the rest."""
    machine()
    proved, gaps = 0, []
    for seed in range(first, first + seeds):
        trace, capacity = instance(model, seed, requests)
        found = bound(trace, capacity, limit, rounds_per_s=1, clock=time.process_time)
        assert confirmed(problem_of(trace, capacity, 1.0), found.starts)
        proved, gaps = proved + found.proved, [*gaps, found.gap]
        mc_sf = policy_total(trace, capacity, "mc-sf") / found.upper
        print(
            f"model {model} n={requests} seed {seed} M={capacity}: [{found.lower}, {found.upper}] "
            f"{'proved' if found.proved else f'gap {found.gap:.2%}'}, {found.nodes} nodes, "
            f"{found.seconds:.1f} s; mc-sf/upper {mc_sf:.3f}",
            flush=True,
        )
    print(f"model {model} n={requests}: {proved} of {seeds} proved, largest gap {max(gaps):.2%}", flush=True)


@app.command
def gaps(*, requests: int | None = None, seeds: int = 10, first: int = 0, model: int = 1, limit: float = 60.0) -> None:
    """Upper over lower at 40 to 60 requests, beside the plain relaxation and mc-sf."""
    machine()
    rows = []
    for seed in range(first, first + seeds):
        trace, capacity = instance(model, seed, requests)
        found = bound(trace, capacity, limit, rounds_per_s=1, clock=time.process_time)
        problem = problem_of(trace, capacity, 1.0)
        assert confirmed(problem, found.starts)
        lp = found.upper / plain(problem, found.starts, 5.0)
        mc_sf = policy_total(trace, capacity, "mc-sf") / found.upper
        rows.append((found.upper / found.lower, lp, mc_sf))
        print(
            f"model {model} n={len(trace)} seed {seed} M={capacity}: [{found.lower}, {found.upper}] "
            f"upper/lower {rows[-1][0]:.3f}, upper/plain {lp:.3f}, mc-sf/upper {mc_sf:.3f}, "
            f"{found.seconds:.0f} s",
            flush=True,
        )
    mean = [statistics.mean(column) for column in zip(*rows, strict=True)]
    print(
        f"model {model}: upper/lower {mean[0]:.3f} on average (largest {max(r[0] for r in rows):.3f}), "
        f"upper/plain {mean[1]:.3f}, mc-sf/upper {mean[2]:.3f}",
        flush=True,
    )


@app.command
def trace(
    source: str = "azure-conv", *, capacity: int = 65000, load: float = 0.9, limit: float = 60.0, policies: str = ""
) -> None:
    """A certified ratio for each policy on a real trace, its rounds scaled to a load."""
    machine()
    found = read_trace(source)
    span = float(found.arrival.max() - found.arrival.min())
    rounds_per_s = float(found.volume.sum()) / (capacity * span * load)
    problem = problem_of(found, capacity, rounds_per_s)
    closed = lower_bound(*problem[:3], capacity)
    known = bound(found, capacity, limit, rounds_per_s=rounds_per_s, clock=time.process_time)
    print(
        f"{source} n={len(found)} load {load} ({rounds_per_s:.2f} rounds/s): closed form {closed:.0f}, "
        f"[{known.lower}, {known.upper}], upper/lower {known.gap + 1:.3f}, {known.seconds:.0f} s",
        flush=True,
    )
    for name in policies.split(",") if policies else ("svf", "mc-sf", "sorted-f", "fcfs", "mc-benchmark"):
        try:
            total = policy_total(found, capacity, name, rounds_per_s)
        except InputError as error:
            print(f"  {name:18} {error}")
            continue
        print(f"  {name:18} total {total:14.0f}  certified ratio {total / known.lower:.3f}", flush=True)


if __name__ == "__main__":
    app()
