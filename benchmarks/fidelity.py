"""Measured runs of vLLM and ours beside them: the figures of two, and the load curves of the one with its memory full.

    python benchmarks/fidelity.py TRACES [--draw FOLDER]   # the folder of vllm_measured_*.parquet

Figures on an RTX 4090 and an RTX PRO 6000 (vLLM 0.19.0, Llama-3.1-8B, 300 requests each): as simulated, with async
scheduling, and without the two launch constants. Then running and waiting requests and memory use, as the engine
logged them every second on the RTX 4090 (2,588 blocks): the mean distance between the curves; drawn with --draw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from plimsoll import Trace, serving, simulate
from plimsoll.report.figure import draw_panel
from plimsoll.report.panel import Axis, Panel, Series
from plimsoll.steptime import StepTime, model_named, roofline
from plimsoll.steptime.kernel import COUNTS, TABLES
from plimsoll.steptime.overhead import EAGER_S, GRAPH_S

MODEL, BLOCKS = "llama-3.1-8b", 2588
RUNS = {
    "RTX4090": {"gpu": "rtx-4090", "blocks": BLOCKS},
    "RTXPRO6000": {"gpu": "rtx-pro-6000", "max_num_seqs": 128},
}
CURVES = (
    ("running", "Running requests", "requests", 1.0),
    ("waiting", "Waiting requests", "requests", 1.0),
    ("kv_cache_pct", "Memory in use", "%", 100 / BLOCKS),
)


def read(folder: Path, name: str, hardware: str) -> pl.DataFrame:
    """One of the two tables of a measured run."""
    rows = pl.read_parquet(folder / f"vllm_measured_{name}.parquet")
    return rows.filter(pl.col("hw").cast(pl.String) == hardware)


def requests(folder: Path, hardware: str) -> tuple[Trace, np.ndarray, np.ndarray]:
    """The requests of a measured run, and when their first and last tokens came."""
    rows = read(folder, "requests", hardware).sort("arrival_s")
    columns = (rows[name].to_numpy() for name in ("arrival_s", "prompt_tokens", "output_tokens"))
    trace = Trace(*columns, more={"prefix_hit_tokens": rows["prefix_hit_tokens"].to_numpy()})
    return trace, rows["first_token_s"].to_numpy(), rows["last_token_s"].to_numpy()


def figures(trace: Trace, first: np.ndarray, last: np.ndarray) -> dict[str, float]:
    """What the two are compared by, seconds."""
    latency = last - trace.arrival
    return {
        "TTFT mean": float((first - trace.arrival).mean()),
        "latency mean": float(latency.mean()),
        "latency p99": float(np.percentile(latency, 99)),
        "TPOT mean": float(((last - first) / (trace.output - 1)).mean()),
        "makespan": float(last.max()),
    }


def kernels_alone(gpu: str) -> StepTime:
    """The step time without the two launch constants."""
    law, layers = roofline(gpu, MODEL), model_named(MODEL).layers
    c = law.coefficients.copy()
    decodes, tokens = int(c[COUNTS]), int(c[COUNTS + 1])
    c[TABLES + decodes : TABLES + 2 * decodes] -= GRAPH_S * layers
    at = TABLES + 2 * decodes + tokens
    c[at : at + tokens] -= (GRAPH_S + EAGER_S) * layers
    return StepTime(law.name, "kernels alone", c)


def tell_figures(folder: Path) -> None:
    """Print each measured figure, and how far each simulation is from it."""
    for hardware, options in RUNS.items():
        trace, first, last = requests(folder, hardware)
        hosts = {
            "simulated": serving(model=MODEL, **options),
            "async scheduling": serving(model=MODEL, async_scheduling=True, **options),
            "kernels alone": serving(model=MODEL, steptime=kernels_alone(options["gpu"]), **options),
        }
        runs = {name: simulate(trace, "fcfs", host) for name, host in hosts.items()}
        found = {name: figures(trace, run.first_token, run.finish) for name, run in runs.items()}
        for name, real in figures(trace, first, last).items():
            told = ", ".join(f"{kind} {100 * (ours[name] / real - 1):+.1f} %" for kind, ours in found.items())
            print(f"{hardware} {name}: {real:.4g} s; {told}")


def panels(folder: Path) -> list[Panel]:
    """The three curves, measured and ours, at the seconds of the engine's log."""
    trace, logged = requests(folder, "RTX4090")[0], read(folder, "timeseries", "RTX4090")
    curve = simulate(trace, "fcfs", serving(model=MODEL, curve_s=1.0, **RUNS["RTX4090"])).curve
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
    tell_figures(options.traces)
    for panel in panels(options.traces):
        real, ours = (series.y for series in panel.series)
        off = np.abs(real - ours)
        print(f"{panel.title}: mean {real.mean():.1f} {panel.y.unit}, distance {off.mean():.1f} in the mean")
        if options.draw is not None:
            draw_panel(panel, ("s0 d0", "s1 d1"), options.draw / f"measured-{panel.name}.svg")


if __name__ == "__main__":
    main()
