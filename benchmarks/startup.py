"""How long the command line takes to start: ``--help``, and a run whose compiled code is cached.

    python benchmarks/startup.py

Prints medians, beside the bare interpreter and beside importing NumPy, Numba and Polars alone, and the processor
time, which a busy machine changes less. The last figure is taken inside a run, from the start of its process to
the first step of its event loop.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from statistics import median

TURNS = 9
RUN = ("run", "azure-conv", "--requests", "100", "--policy", "svf", "--json")
UNTIL_THE_LOOP = f"""
import sys, time
from plimsoll.host import discrete
def call(*arguments, **options):
    print(time.time())
    sys.exit(0)
discrete.call = call
sys.argv = ["plimsoll", {", ".join(map(repr, RUN))}]
from plimsoll.cli import main
main()
"""
CASES = {
    "python -c pass": ("-c", "pass"),
    "import numpy, numba, polars": ("-c", "import numpy, numba, polars"),
    "plimsoll --help": ("-m", "plimsoll", "--help"),
    f"plimsoll {' '.join(RUN)}": ("-m", "plimsoll", *RUN),
}


def processor_s() -> float:
    """Seconds of processor time of all child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(*arguments: str) -> tuple[float, float, str]:
    """(seconds from start to end, of the processor, what it printed) of one process."""
    began, before = time.perf_counter(), processor_s()
    done = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, processor_s() - before, done.stdout


def until_the_loop() -> tuple[float, float]:
    """(seconds, of the processor) from the start of a process to the event loop of its run."""
    began = time.time()
    _, processor, printed = timed("-c", UNTIL_THE_LOOP)
    return float(printed) - began, processor


def main() -> None:
    for arguments in CASES.values():  # fills the caches
        timed(*arguments)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; median (fastest) of {TURNS}, seconds")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    loop: list[tuple[float, float]] = []
    for _ in range(TURNS):
        for name, arguments in CASES.items():
            times[name].append(timed(*arguments)[:2])
        loop.append(until_the_loop())
    for name, each in [*times.items(), ("… to the first step of its event loop", loop)]:
        wall, processor = zip(*each, strict=True)
        print(f"{median(wall):6.3f} ({min(wall):.3f})  processor {median(processor):6.3f}  {name}")


if __name__ == "__main__":
    main()
