"""What a second process is worth: 64 equal runs on one worker and on two.

    python benchmarks/sweep.py

Prints seconds of each, medians of three interleaved sweeps after one that compiles, and their quotient.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from plimsoll.experiment.grid import Grid
from plimsoll.experiment.sweep import sweep

REQUESTS, RUNS, REPEATS = 200_000, 64, 3


def main() -> None:
    grid = Grid({"trace": ["azure-conv"], "requests": [REQUESTS], "policy": [f"svf:age={k}" for k in range(RUNS)]})
    with tempfile.TemporaryDirectory() as folder:

        def seconds(workers: int, at: int) -> float:
            began = time.perf_counter()
            sweep(grid, Path(folder) / f"{workers}-{at}.parquet", workers)
            return time.perf_counter() - began

        sweep(Grid(grid.axes | {"policy": ["svf"]}), Path(folder) / "warm.parquet")
        pairs = [(seconds(1, at), seconds(2, at)) for at in range(REPEATS)]
    one, two = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{RUNS} runs of {REQUESTS:,} requests, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print(f"one worker {one:.1f} s, two {two:.1f} s: {one / two:.2f} times as fast")


if __name__ == "__main__":
    main()
