"""Which policy wins where: ``python benchmarks/wins.py [WORKLOAD …]`` prints the tables of docs/results.md.

Rounds host: workload × memory (half, once and twice the workload's default) × load × what is known of the lengths.
Arrivals are stretched to the load at each memory. A cell names the policy and its mean latency relative to first come,
first served; "any" where the best is within 3 % of that.
"""

import sys
from dataclasses import replace

WORKLOADS = ("azure-conv", "azure-code", "mooncake", "long-document")
MEMORY = (0.5, 1.0, 2.0)
LOADS = (0.8, 1.0, 1.3)
PREDICTORS = ("exact", "lognormal:0.5", "law")
POLICIES = ("fcfs", "fcfs:watermark=0.02", "mc-sf", "sjf", "svf", "svf:age=2000", "load-line")
REQUESTS, SEED = 2000, 0
TAIL = 1.05  # of first come, first served, at the 99th percentile


def cells(workload, factor):
    """Mean and p99 of every policy, by (load, predictor)."""
    import numpy as np

    from plimsoll import read_trace, rounds, simulate
    from plimsoll.bounds.machine import load_of
    from plimsoll.workload import default_capacity

    trace = read_trace(workload, requests=REQUESTS, seed=SEED)
    host = rounds(capacity=int(factor * default_capacity(workload)))
    trace = trace.keep(trace.peak <= host.capacity)
    now = load_of(trace, host)
    for load in LOADS:
        stretched = replace(trace, arrival=trace.arrival * (now / load))
        for predictor in PREDICTORS:
            found = {}
            for policy in POLICIES:
                latency = simulate(stretched, policy, host, predictor, SEED).latency
                found[policy] = float(latency.mean()), float(np.percentile(latency, 99))
            yield (load, predictor), found


def winner(found, tail):
    """The policy with the least mean among those whose p99 is at most ``tail`` times that of fcfs, and that mean."""
    mean, p99 = found["fcfs"]
    allowed = [name for name, figures in found.items() if figures[1] <= tail * p99]
    best = min(allowed, key=lambda name: found[name][0])
    share = found[best][0] / mean
    return "any" if share > 0.97 else f"{best} {share:.2f}".replace("0.", ".", 1)


def table(rows, tail, title):
    """One table in Markdown."""
    columns = [(load, predictor) for load in LOADS for predictor in PREDICTORS]
    print(f"{title}\n")
    print("| workload, memory |" + "".join(f" {load:g}, {predictor} |" for load, predictor in columns))
    print("|---|" + "---|" * len(columns))
    for (workload, factor), found in rows.items():
        cells_ = "".join(f" {winner(found[column], tail)} |" for column in columns)
        print(f"| {workload} × {factor:g} |{cells_}")
    print()


def main(workloads):
    """Print both tables."""
    rows = {(w, f): dict(cells(w, f)) for w in workloads for f in MEMORY}
    table(rows, float("inf"), "Least mean latency")
    table(rows, TAIL, f"Least mean latency with p99 at most {TAIL:g} × that of fcfs")


if __name__ == "__main__":
    main(sys.argv[1:] or WORKLOADS)
