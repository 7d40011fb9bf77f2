"""The load curves of a measured run of vLLM with its memory full, and ours over them.

    python benchmarks/fidelity.py TRACES [--draw FOLDER]   # the folder of vllm_measured_*.parquet

Running and waiting requests and memory use, as the engine logged them every second on an RTX 4090 (vLLM 0.19.0,
Llama-3.1-8B, 300 requests, 2,588 blocks). Prints the mean distance between the curves; draws them with --draw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from plimsoll import Trace, serving, simulate
from plimsoll.report.figure import draw_panel
from plimsoll.report.panel import Axis, Panel, Series

BLOCKS = 2588
CURVES = (
    ("running", "Running requests", "requests", 1.0),
    ("waiting", "Waiting requests", "requests", 1.0),
    ("kv_cache_pct", "Memory in use", "%", 100 / BLOCKS),
)


def read(folder: Path, name: str) -> pl.DataFrame:
    """One of the two tables of the measured run."""
    rows = pl.read_parquet(folder / f"vllm_measured_{name}.parquet")
    return rows.filter(pl.col("hw").cast(pl.String) == "RTX4090")


def panels(folder: Path) -> list[Panel]:
    """The three curves, measured and ours, at the seconds of the engine's log."""
    rows, logged = read(folder, "requests").sort("arrival_s"), read(folder, "timeseries")
    columns = (rows[name].to_numpy() for name in ("arrival_s", "prompt_tokens", "output_tokens"))
    trace = Trace(*columns, more={"prefix_hit_tokens": rows["prefix_hit_tokens"].to_numpy()})
    curve = simulate(trace, "fcfs", serving(gpu="rtx-4090", model="llama-3.1-8b", blocks=BLOCKS, curve_s=1.0)).curve
    assert curve is not None  # curve_s asks for it
    at = logged["t_s"].to_numpy()
    found: list[Panel] = []
    for j, (column, title, unit, scale) in enumerate(CURVES, 1):
        ours = np.interp(at, curve[:, 0], scale * curve[:, j])
        lines = [Series("measured", at, logged[column].to_numpy().astype(float), 0), Series("simulated", at, ours, 1)]
        name = column.removesuffix("_cache_pct")
        found.append(Panel(name, title, "", Axis("time", "s"), Axis(title.lower(), unit), lines))
    return found


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path, help="the folder of the measured runs")
    parser.add_argument("--draw", type=Path, help="write an SVG for each curve here")
    options = parser.parse_args()
    for panel in panels(options.traces):
        real, ours = (series.y for series in panel.series)
        off = np.abs(real - ours)
        print(f"{panel.title}: mean {real.mean():.1f} {panel.y.unit}, distance {off.mean():.1f} in the mean")
        if options.draw is not None:
            draw_panel(panel, ("s0 d0", "s1 d1"), options.draw / f"measured-{panel.name}.svg")


if __name__ == "__main__":
    main()
