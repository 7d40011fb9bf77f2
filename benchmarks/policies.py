"""How fast each online policy simulates: ``python benchmarks/policies.py [requests] [policy …]``.

The built-in workload azure-conv at 1.1 times what its default memory can carry, rounds host, 100,000 requests, exact
predictions; median of three runs of the event loop, policies interleaved, and the machine's load average.
"""

import os
import statistics
import sys

POLICIES = (
    *("fcfs", "fcfs-reserve", "mc-benchmark", "mc-sf", "sjf", "ljf", "svf", "svf:engine=1", "alpha-protection"),
    *("alpha-beta", "load-line", "load-line:fair=1", "vtc"),
    *("a-max", "a-min", "flow-control", "flow-control:known=0", "rect", "route-online:idle=1"),
)
LOAD, REPEATS = 1.1, 3


def main(n, policies):
    """Print one line per policy."""
    import numpy as np

    from plimsoll import Trace, read_trace, rounds, simulate
    from plimsoll.workload import default_capacity

    drawn, capacity = read_trace("azure-conv", requests=n), default_capacity("azure-conv")
    volume = drawn.prompt * drawn.output + drawn.output * (drawn.output + 1) / 2
    load = volume.sum() / (capacity * (drawn.arrival[-1] - drawn.arrival[0]))
    trace = Trace(np.floor(drawn.arrival * load / LOAD), drawn.prompt, drawn.output, "azure-conv")
    host, few = rounds(capacity=capacity, rounds_per_s=1), Trace.of([(0, 1, 1)])
    for policy in policies:
        simulate(few, policy, host)  # compile or read the cache
    walls = {policy: [] for policy in policies}
    for _ in range(REPEATS):
        for policy in policies:
            walls[policy].append(simulate(trace, policy, host).wall_s)
    print(f"{n:,} requests, capacity {capacity:,}, load {LOAD}, load average {os.getloadavg()[0]:.1f}")
    for policy, seconds in walls.items():
        wall = statistics.median(seconds)
        print(f"{policy:22} {wall:8.3f} s {n / wall:>10,.0f} requests/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, tuple(sys.argv[2:]) or POLICIES)
