"""How fast the rounds host is, and how its time grows: ``python benchmarks/rounds.py [requests …]``.

Lognormal lengths (prompt μ = 6, σ = 1, at most 4,000; output μ = 5, σ = 1, at most 2,000), 130,000 tokens of memory,
Poisson arrivals at 1.2 times what the memory can carry, so that hundreds of thousands wait. Each size runs in a process
of its own, policies interleaved, median of three; also that process's peak memory, and the time a second process takes.
Time over n·log₂n should not grow with n. Where ../shared/prototype is beside the project, that sketch (SVF with
neither evictions nor checks) runs on the same requests in between.
"""

import math
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

CAPACITY, LOAD, REPEATS = 130_000, 1.2, 3
POLICIES = ("svf", "mc-sf", "fcfs", "sjf")
SHARED = Path(__file__).resolve().parents[2] / "shared"


def instance(n):
    """n requests of the benchmark's law; arrivals in rounds."""
    import numpy as np

    from plimsoll import Trace

    rng = np.random.default_rng(3)
    prompt = np.clip(rng.lognormal(6, 1, n), 1, 4000).astype(np.int64)
    output = np.clip(rng.lognormal(5, 1, n), 1, 2000).astype(np.int64)
    volume = prompt * output + output * (output + 1) / 2
    arrival = np.floor(np.cumsum(rng.exponential(volume.mean() / (LOAD * CAPACITY), n)))
    return Trace(arrival, prompt, output)


def ours(policy):
    """A function from a trace to the seconds of the event loop."""
    from plimsoll import Trace, rounds, simulate

    host = rounds(capacity=CAPACITY, rounds_per_s=1)
    simulate(Trace.of([(0, 1, 1)]), policy, host)  # compile or read the cache
    return lambda trace: simulate(trace, policy, host).wall_s


def sketch():
    """The same for the sketch's SVF."""
    import numpy as np

    sys.path.append(str(SHARED))
    from prototype import policy, rounds

    hooks = policy.compiled(policy.Svf, "rank"), policy.compiled(policy.Svf, "admit")

    def seconds(trace):
        columns = trace.arrival, trace.prompt, trace.output, trace.output
        began = time.perf_counter()
        rounds.run(*hooks, np.zeros(0), *columns, CAPACITY)
        return time.perf_counter() - began

    return seconds


def measure(n):
    """Print one line per policy for n requests."""
    runs = {policy: ours(policy) for policy in POLICIES}
    if (SHARED / "prototype").is_dir():
        runs["sketch"] = sketch()
    trace = instance(n)
    seconds = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, run in runs.items():
            seconds[name].append(run(trace))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, walls in seconds.items():
        wall = statistics.median(walls)
        grown = wall / (n * math.log2(n)) * 1e9
        print(f"{n:>9,} {name:6} {wall:8.3f} s {n / wall:>9,.0f} requests/s {grown:6.1f} ns/(n·log₂n) {memory:5.0f} MB")


def start_up():
    """Seconds from a fresh process to the end of a run of 1,000 requests, with the compiled code in the cache."""
    words = [sys.executable, "-m", "plimsoll", "run", "azure-conv", "--requests", "1000", "--policy", "svf", "--json"]
    subprocess.run(words, check=True, capture_output=True)
    walls = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        walls.append(time.perf_counter() - began)
    print(f"a second process runs 1,000 requests in {statistics.median(walls):.2f} s, all of it")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--size":
        measure(int(sys.argv[2]))
        sys.exit()
    print(f"load of the machine: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    for size in sys.argv[1:] or ("10000", "100000", "1000000"):
        subprocess.run([sys.executable, __file__, "--size", size], check=True)
    start_up()
