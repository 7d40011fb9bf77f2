"""An evaluation for the eye: tables on the terminal."""

from __future__ import annotations

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


def _title(found: Evaluation) -> str:
    how = f"mean of {found.splits} split(s) by prompt" if found.splits else "a trained model"
    return f"{found.held_out} held-out requests, {how}; bounds for {found.coverage:.0%}"
