"""load-line against every published policy and the watermark, where memory binds.

    python benchmarks/load_line.py [--quick | --wide | --every] [--host serving|rounds] [--loads 1.1,1.3] [--seeds 2]
                                   [--requests 3000] [--workloads azure-conv,…] [--predictors law,lognormal:0.5,exact]

Serving host: Llama-2-70B on two A100, 3,328 blocks of 16 tokens, 128 sequences, 2,048 tokens a step. Load 1 is the rate
at which first come, first served with a test of the future peak finishes when all requests are there at once and their
lengths are known. Requests that cannot fit are left out; arrivals are Poisson. Every cell is mean/p99 latency relative
to stock first come, first served on the same requests, averaged over seeds, then the recomputed or lost share of all
tokens. Policies that lose are printed like those that win. ``--wide`` prints a line per workload and load instead, of
all built-in workloads: the best watermark of 1, 2 and 5 %, then load-line, svf and mc-sf under each predictor.
``--every`` sets load-line beside each published policy for requests that arrive over time, over the same lines.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np

from plimsoll import Trace, rounds, serving, simulate
from plimsoll.policies.load_line import AT_COUNT, AT_STEP, LoadLine
from plimsoll.policy.protocol import ask, parameters
from plimsoll.policy.view import REQUEST, RUNNING, View, records
from plimsoll.predict.survival import lognormal
from plimsoll.workload import NAMED, generate

WORKLOADS = ("azure-conv", "azure-code", "reasoning", "mooncake")
DRAWN = [name for name in NAMED if not name.startswith("model-")]
STOCK = "fcfs"
BLIND = (  # they need no prediction, or only the law
    "fcfs:watermark=0.01", "fcfs:watermark=0.02", "fcfs:watermark=0.05", "alpha-protection", "alpha-beta",
    "load-line:order=0", "load-line",
)  # fmt: skip
TOLD = (  # they believe the predicted length
    "fcfs-reserve", "mc-benchmark", "sjf:watermark=0.02", "mc-sf", "svf", "svf:reserve=1", "svf:engine=1", "load-line",
)  # fmt: skip
WIDE = ("load-line", "svf", "mc-sf")
WATERMARKS = BLIND[:3]
UNTOLD = ("alpha-protection", "alpha-beta", "vtc", "rect", "route-online:idle=1")  # no prediction, whatever is at hand
BELIEVE = ("fcfs-reserve", "mc-benchmark", "sjf", "ljf", "mc-sf", "flow-control", "svf", "svf:engine=1")
BETWEEN = ("a-max", "a-min")  # of an interval
BLOCKS, BLOCK = 3328, 16


def host_named(name: str) -> Any:
    """The machine of the study, or the rounds model with the same memory."""
    if name == "rounds":
        return rounds(capacity=BLOCKS * BLOCK, rounds_per_s=20)
    return serving(gpu="a100", model="llama-2-70b", tp=2, blocks=BLOCKS, block_size=BLOCK, max_num_seqs=128)


@cache
def requests_of(workload: str, count: int, seed: int) -> Trace:
    """The first ``count`` requests that can fit."""
    drawn = generate(workload, requests=2 * count, seed=seed)
    keep = np.flatnonzero(drawn.prompt + drawn.output <= BLOCKS * BLOCK)[:count]
    return Trace(drawn.arrival[keep], drawn.prompt[keep], drawn.output[keep], workload)


@cache
def service_rate(host: str, workload: str, count: int, seed: int) -> float:
    """Requests per second at load 1."""
    drawn = requests_of(workload, count, seed)
    together = Trace(np.zeros(count), drawn.prompt, drawn.output, workload)
    machine = host_named(host)
    last = float(np.nanmax(simulate(together, "mc-benchmark", machine).finish))
    return count / (last / machine.rounds_per_s if host == "rounds" else last)


def at_load(host: str, workload: str, load: float, count: int, seed: int) -> Trace:
    """The requests of a workload, arriving at a load."""
    drawn = requests_of(workload, count, seed)
    gaps = np.random.default_rng(1000 + seed).exponential(1 / (load * service_rate(host, workload, count, seed)), count)
    return Trace(np.cumsum(gaps), drawn.prompt, drawn.output, workload)


def measured(host: str, trace: Trace, policy: str, predictor: str, seed: int) -> np.ndarray:
    """Mean and p99 latency and the share of tokens computed in vain; NaN where the run did not end."""
    result = simulate(trace, policy, host_named(host), predictor, seed)
    if result.status != "ok":
        return np.full(3, np.nan)
    start, stop, kept = result.attempts[:, 1:].T
    unfinished = np.ones(len(result.attempts), bool)
    last = {int(i): row for row, i in enumerate(result.attempts[:, 0])}
    unfinished[list(last.values())] = False
    held = trace.prompt[result.attempts[:, 0]] + kept + stop - start
    waste = held[unfinished].sum() / (trace.prompt + trace.output).sum()
    return np.array([result.latency.mean(), np.percentile(result.latency, 99), waste])


def rows(predictors: list[str]) -> Iterator[tuple[str, str]]:
    """(policy, predictor) of every line of the table."""
    for policy in BLIND:
        yield policy, "law"
    for predictor in predictors:
        if predictor != "law":
            yield from ((policy, predictor) for policy in TOLD)


def table(options: argparse.Namespace, workload: str, load: float) -> None:
    """Print every policy on one workload at one load."""
    traces = [at_load(options.host, workload, load, options.requests, seed) for seed in range(options.seeds)]
    stock = [measured(options.host, trace, STOCK, "law", seed) for seed, trace in enumerate(traces)]
    mean, p99, waste = np.mean(stock, axis=0)
    print(f"\n{workload}, load {load:g}: stock {mean:.0f}/{p99:.0f}, {waste:.1%} of the tokens in vain", flush=True)
    for policy, predictor in rows(options.predictors):
        found = [measured(options.host, trace, policy, predictor, seed) for seed, trace in enumerate(traces)]
        ratio = np.mean([run[:2] / base[:2] for run, base in zip(found, stock, strict=True)], axis=0)
        vain = np.mean([run[2] for run in found])
        cell = "did not end" if np.isnan(vain) else f"{ratio[0]:5.2f}/{ratio[1]:4.2f} {vain:6.1%}"
        print(f"  {policy:22} {predictor:14} {cell}", flush=True)


Pairs = list[tuple[str, str]]  # of policy and predictor


def against_stock(
    options: argparse.Namespace, workload: str, load: float, pairs: Pairs
) -> dict[tuple[str, str], np.ndarray]:
    """Mean and p99 relative to stock, averaged over seeds, of each (policy, predictor)."""
    traces = [at_load(options.host, workload, load, options.requests, seed) for seed in range(options.seeds)]
    stock = [measured(options.host, trace, STOCK, "law", seed)[:2] for seed, trace in enumerate(traces)]
    return {
        (policy, predictor): np.mean(
            [
                measured(options.host, trace, policy, predictor, seed)[:2] / stock[seed]
                for seed, trace in enumerate(traces)
            ],
            axis=0,
        )
        for policy, predictor in pairs
    }


def wide(options: argparse.Namespace) -> None:
    """Print a line per workload and load, and in how many of them load-line loses."""
    cells = [f"{policy} {predictor}" for predictor in options.predictors for policy in WIDE]
    print(f"{'':12} load  {'watermark':>12}  " + "  ".join(f"{cell:>12}" for cell in cells))
    lines: list[tuple[np.ndarray, list[np.ndarray]]] = []
    pairs = [*((policy, "law") for policy in WATERMARKS), *((p, b) for b in options.predictors for p in WIDE)]
    for workload in options.workloads:
        for load in options.loads:
            found = against_stock(options, workload, load, pairs)
            best = min((found[policy, "law"] for policy in WATERMARKS), key=lambda ratio: float(ratio[0]))
            row = [found[policy, predictor] for predictor in options.predictors for policy in WIDE]
            told = [f"{mean:.2f}/{p99:.2f}" for mean, p99 in (best, *row)]
            widths = [12, *(max(12, len(cell)) for cell in cells)]
            print(
                f"{workload:12} {load:4}  " + "  ".join(f"{t:>{w}}" for t, w in zip(told, widths, strict=True)),
                flush=True,
            )
            lines.append((best, row[:: len(WIDE)]))
    best = np.array([ratio for ratio, _ in lines])
    print(
        f"\nof {len(lines)} lines, mean of all {best[:, 0].mean():.2f}/{best[:, 1].mean():.2f} with the best watermark"
    )
    for at, predictor in enumerate(options.predictors):
        ours = np.array([row[at] for _, row in lines])
        above = (ours > 1.005).sum(axis=0)
        print(
            f"load-line {predictor}: {ours[:, 0].mean():.2f}/{ours[:, 1].mean():.2f}; mean above stock in {above[0]}, "
            f"p99 in {above[1]}; mean above the best watermark in {int((ours[:, 0] > best[:, 0] + 0.005).sum())}"
        )


def every(options: argparse.Namespace) -> None:
    """Print a line per published policy and predictor: its mean and p99, load-line's, and how often it has the less."""
    pairs = [(policy, "law") for policy in UNTOLD]
    pairs += [(policy, predictor) for predictor in options.predictors for policy in BELIEVE]
    pairs += [(policy, "interval:0.5") for policy in BETWEEN]
    beside = [("load-line", predictor) for predictor in dict.fromkeys(predictor for _, predictor in pairs)]
    lines = [
        against_stock(options, workload, load, pairs + beside)
        for workload in options.workloads
        for load in options.loads
    ]
    print(f"| policy | told | mean/p99 | load-line | of {len(lines)}: less mean | less p99 | both |")
    print(7 * "|---" + "|")
    for policy, predictor in pairs:
        its = np.array([line[policy, predictor] for line in lines])
        ours = np.array([line["load-line", predictor] for line in lines])
        less = its < ours - 0.005  # never where a run did not end
        both = less.any(axis=1) & (its <= ours + 0.005).all(axis=1)
        ended = np.isfinite(its[:, 0])
        cells = [f"{mean:.2f}/{p99:.2f}" for mean, p99 in (its[ended].mean(axis=0), ours[ended].mean(axis=0))]
        cells[0] += "" if ended.all() else f", {(~ended).sum()} did not end"
        print(" | ".join([f"| {policy}", predictor, *cells, *map(str, [*less.sum(axis=0), both.sum()])]) + " |")


def cost(running: int = 256, rounds_of: int = 2000) -> None:
    """Print the microseconds of one admission: the first at an instant, and each further candidate."""
    policy = LoadLine()
    rng = np.random.default_rng(0)
    requests, batch = records(running + 1, REQUEST), records(running, RUNNING)
    requests.prompt, requests.predicted = rng.integers(1, 2000, running + 1), rng.integers(1, 600, running + 1)
    batch.id, batch.offset = np.arange(running), requests.prompt[:running] + rng.integers(0, 200, running)
    capacity = int(1.02 * batch.offset.sum()) + 4096
    plan = policy.plan(requests, capacity, rng)
    numbers, admit = parameters(policy), ask(policy, "admit")
    curve = lognormal(0.5)
    free = capacity - int(batch.offset.sum())
    view = View(0.0, 0, capacity, 16, free, 0, 0, requests, batch, curve, *plan, np.ones(6, np.int64))
    seconds: dict[str, list[float]] = {"first": [], "further": []}
    for _ in range(rounds_of):
        plan.memory[AT_STEP] = -1.0
        for name in seconds:
            began = perf_counter()
            admit(view, numbers, running)
            seconds[name].append(perf_counter() - began)
            plan.memory[AT_COUNT] = running
    for name, values in seconds.items():
        print(f"{name} candidate at an instant, {running} running: {1e6 * float(np.median(values)):.1f} µs")


def main() -> None:
    """Print a table for every workload and load."""
    split = str.split
    parser = argparse.ArgumentParser(description="load-line against every published policy and the watermark")
    parser.add_argument("--quick", action="store_true", help="one load, one seed, 1,500 requests")
    parser.add_argument("--wide", action="store_true", help="a line per workload and load, all built-in workloads")
    parser.add_argument("--every", action="store_true", help="beside each published policy, all built-in workloads")
    parser.add_argument("--host", choices=("serving", "rounds"), default="serving")
    parser.add_argument("--workloads", type=lambda text: split(text, ","), default=None)
    parser.add_argument("--loads", type=lambda text: [float(x) for x in split(text, ",")], default=[0.8, 1.1, 1.3, 1.5])
    parser.add_argument("--predictors", type=lambda text: split(text, ","), default=["law", "lognormal:0.5", "exact"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--cost", action="store_true", help="only the microseconds of a decision")
    options = parser.parse_args()
    if options.cost:
        return cost()
    if options.quick:
        options.loads, options.seeds, options.requests = [1.1], 1, 1500
    options.workloads = options.workloads or ([*DRAWN] if options.wide or options.every else [*WORKLOADS])
    if options.wide:
        return wide(options)
    if options.every:
        return every(options)
    for workload in options.workloads:
        for load in options.loads:
            table(options, workload, load)


if __name__ == "__main__":
    main()
