"""How long it takes to read a million requests in each form, and to draw them.

Run as ``python benchmarks/read_trace.py``. Prints the median of five, beside Polars reading the same columns
without any check.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import polars as pl

from plimsoll.formats import read_file, write_trace
from plimsoll.workload import generate

REQUESTS = 1_000_000


def seconds(work: Callable[[], object]) -> float:
    """Median of five runs."""
    times: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def main() -> None:
    print(f"{REQUESTS:,} requests, median of five")
    for spec in ("synthetic", "azure-conv", "azure-code"):
        print(f"draw {spec:12} {seconds(lambda spec=spec: generate(spec, REQUESTS)):6.3f} s")
    trace = generate("synthetic", REQUESTS)
    bare = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}
    with tempfile.TemporaryDirectory() as folder:
        for ending, read in bare.items():
            path = Path(folder) / f"trace{ending}"
            write_trace(trace, path)
            ours, theirs = seconds(lambda: read_file(path)), seconds(lambda: read(path))  # noqa: B023
            print(f"read {ending:12} {ours:6.3f} s, Polars alone {theirs:6.3f} s, ratio {ours / theirs:4.1f}")


if __name__ == "__main__":
    main()
