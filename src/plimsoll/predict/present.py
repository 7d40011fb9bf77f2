"""An evaluation for the eye: tables on the terminal, the calibration picture."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from ..atomic import replacing
from .evaluate import Evaluation

COLUMNS = ("spearman", "kendall", "mae_log", "pinball", "bit_accuracy", "coverage")


def table(found: Evaluation) -> None:
    """Print the scores, the confusion of the one bit and the calibration."""
    from rich.console import Console
    from rich.table import Column, Table

    console = Console()
    scores = Table(
        Column("predictor", no_wrap=True), *(name.replace("_", " ") for name in COLUMNS), title=_title(found)
    )
    for name, values in found.scores.items():
        scores.add_row(name, *(f"{values[c]:.3f}" if c in values else "–" for c in COLUMNS))
    bits = Table(f"output > {found.theta:g}?", "said short", "said long", title="The one bit, shares of requests")
    for truth, said in found.confusion.items():
        bits.add_row(truth, f"{said['short']:.3f}", f"{said['long']:.3f}")
    levels = Table("level", *found.calibration, title="Share of outputs below the predicted quantile")
    levels.add_row("observed", *(f"{share:.2f}" for share in found.calibration.values()))
    for part in (scores, bits, levels):
        console.print(part)


def draw(found: Evaluation, name: str, path: Path) -> None:
    """Write the calibration picture: observed against stated share, one HTML file."""
    go: Any = import_module("plotly.graph_objects")
    stated = [float(level) for level in found.calibration]
    figure = go.Figure(layout={"title": {"text": f"Calibration of the learned predictor on {name}"}})
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="perfect", line={"dash": "dot"})
    figure.add_scatter(x=stated, y=list(found.calibration.values()), mode="lines+markers", name="learned")
    figure.update_xaxes(title="stated share of outputs below", range=[0, 1])
    figure.update_yaxes(title="observed share", range=[0, 1], scaleanchor="x")
    with replacing(path) as part:
        figure.write_html(part, include_plotlyjs=True)


def _title(found: Evaluation) -> str:
    how = f"mean of {found.splits} split(s) by prompt" if found.splits else "a trained model"
    return f"{found.held_out} held-out requests, {how}; bounds for {found.coverage:.0%}"
