"""Proofs, gaps and certified ratios of ``plimsoll bound``, on the synthetic laws of arXiv:2502.07115 and a
trace.

    python benchmarks/bound.py proofs --requests 12 --seeds 10
    python benchmarks/bound.py gaps --model 2
    python benchmarks/bound.py lp --requests 200
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
from plimsoll.bounds import linear, search
from plimsoll.bounds.area import lower_bound
from plimsoll.bounds.problem import Problem
from plimsoll.bounds.replay import confirmed
from plimsoll.bounds.solve import bound, problem_of
from plimsoll.errors import InputError
from plimsoll.policy.load import catalogue

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
    """Total latency of a policy, rounds; infinite where it takes ten times as long as the requests need."""
    needed = float(trace.arrival.max()) * rounds_per_s + float(trace.volume.sum()) / capacity
    host = rounds(capacity=capacity, rounds_per_s=rounds_per_s, max_rounds=int(10 * needed) + 1000)
    result = simulate(trace, policy, host)
    return float(result.latency.sum()) if result.status == "ok" else float("inf")


def plain(problem: Problem, start: np.ndarray) -> int:
    """The time-indexed linear program, solved to the end."""
    program = linear.LinearProgram(problem, start)
    for _ in program.steps(600, lambda: False):
        pass
    assert program.settled
    return program.bound


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
    """Upper over lower at 40 to 60 requests, beside the linear program and mc-sf."""
    machine()
    rows = []
    for seed in range(first, first + seeds):
        trace, capacity = instance(model, seed, requests)
        found = bound(trace, capacity, limit, rounds_per_s=1, clock=time.process_time)
        problem = problem_of(trace, capacity, 1.0)
        assert confirmed(problem, found.starts)
        lp = found.upper / plain(problem, found.starts)
        mc_sf = policy_total(trace, capacity, "mc-sf") / found.upper
        rows.append((found.upper / found.lower, lp, mc_sf))
        print(
            f"model {model} n={len(trace)} seed {seed} M={capacity}: [{found.lower}, {found.upper}] "
            f"upper/lower {rows[-1][0]:.3f}, upper/lp {lp:.3f}, mc-sf/upper {mc_sf:.3f}, "
            f"{found.seconds:.0f} s",
            flush=True,
        )
    mean = [statistics.mean(column) for column in zip(*rows, strict=True)]
    print(
        f"model {model}: upper/lower {mean[0]:.3f} on average (largest {max(r[0] for r in rows):.3f}), "
        f"upper/lp {mean[1]:.3f}, mc-sf/upper {mean[2]:.3f}",
        flush=True,
    )


@app.command
def lp(*, requests: int = 200, seeds: int = 3, first: int = 0, model: int = 1) -> None:
    """The linear program alone: its bound under mc-sf, and processor seconds."""
    machine()
    for seed in range(first, first + seeds):
        found, capacity = instance(model, seed, requests)
        problem = problem_of(found, capacity, 1.0)
        start = search.place(problem, search.first_order(problem))
        began = time.process_time()
        bound_lp = plain(problem, start)
        spent = time.process_time() - began
        ratio = policy_total(found, capacity, "mc-sf") / bound_lp
        print(f"model {model} n={requests} seed {seed}: {bound_lp}, mc-sf/lp {ratio:.3f}, {spent:.1f} s", flush=True)


@app.command
def trace(source: str = "azure-conv", *, capacity: int = 65000, load: float = 0.9, limit: float = 60.0) -> None:
    """A certified ratio for each policy of the catalogue on a real trace, its rounds scaled to a load."""
    machine()
    found = read_trace(source)
    span = float(found.arrival.max() - found.arrival.min())
    rounds_per_s = float(found.volume.sum()) / (capacity * span * load)
    problem = problem_of(found, capacity, rounds_per_s)
    closed = lower_bound(*problem[:3], capacity)
    known = bound(found, capacity, limit, rounds_per_s=rounds_per_s, clock=time.process_time)
    print(
        f"{source} n={len(found)} load {load} ({rounds_per_s:.2f} rounds/s): closed form {closed:.0f}, "
        f"[{known.lower}, {known.upper}] by {known.method}, upper/lower {known.gap + 1:.3f}, {known.seconds:.0f} s",
        flush=True,
    )
    for name in catalogue():
        try:
            total = policy_total(found, capacity, name, rounds_per_s)
        except (InputError, TypeError) as error:
            print(f"  {name:18} does not apply: {str(error).splitlines()[0]}", flush=True)
            continue
        print(f"  {name:18} total {total:14.0f}  certified ratio {total / known.lower:.3f}", flush=True)


if __name__ == "__main__":
    app()
