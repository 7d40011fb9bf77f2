"""How long the command line takes to start: ``--help``, and a run whose compiled code is cached.

    python benchmarks/startup.py

Prints medians, beside the bare interpreter and beside importing NumPy, Numba and Polars alone. The second
figure of a run is taken inside it, from the start of the process to the first step of the event loop.
"""

from __future__ import annotations

import os
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


def seconds(*arguments: str) -> float:
    """From the start of a process to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def until_the_loop() -> float:
    """From the start of a process to the event loop of its run."""
    began = time.time()
    done = subprocess.run([sys.executable, "-c", UNTIL_THE_LOOP], check=True, capture_output=True, text=True)
    return float(done.stdout) - began


def main() -> None:
    for arguments in CASES.values():  # fills the caches
        seconds(*arguments)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; median (fastest) of {TURNS}, seconds")
    times: dict[str, list[float]] = {name: [] for name in CASES}
    loop: list[float] = []
    for _ in range(TURNS):
        for name, arguments in CASES.items():
            times[name].append(seconds(*arguments))
        loop.append(until_the_loop())
    for name, each in [*times.items(), ("… to the first step of its event loop", loop)]:
        print(f"{median(each):6.3f} ({min(each):.3f})  {name}")


if __name__ == "__main__":
    main()
