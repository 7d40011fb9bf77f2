"""What ``plimsoll plot`` writes: the ending of the file's name chooses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ..atomic import replacing, require_writable
from ..errors import InputError
from ..experiment.attainment import Attained
from ..experiment.run import Run
from ..trace import Trace
from .panel import Panel
from .panels import Seen, all_panels, see
from .picture import Gallery, class_names, gallery, stills

FIGURES, NUMBERS, VIEWER = (".png", ".svg", ".pdf"), (".csv", ".parquet"), ".json"


def check_output(path: Path, panel: str) -> None:
    """Refuse, before anything is run, an ending that names no form, a form that cannot hold the panel, and a bad path.

    Raises
    ------
    InputError
        One line that says what is possible.
    """
    endings = (*FIGURES, *NUMBERS, VIEWER)
    if path.suffix not in endings:
        raise InputError(f"{path}: the ending must be one of {', '.join(endings)}")
    if panel == "all" and path.suffix in FIGURES:
        raise InputError(f"{path}: a figure holds one panel; name it with --panel")
    require_writable(path)


def write_output(path: Path, panel: str, trace: Trace, runs: Sequence[Run], attained: Sequence[Attained] = ()) -> None:
    """Write a figure, the numbers behind it, or the runs for a trace viewer.

    Parameters
    ----------
    panel : the name of a panel, "picture", or "all" for the numbers of every panel.
    attained : the same policies over a grid of arrival rates, where that was asked for.

    Raises
    ------
    InputError
        If these runs have no such panel, Matplotlib is missing, or the file cannot be written.
    """
    seen = see(runs)
    if path.suffix == VIEWER:
        from .perfetto import write_viewer_trace

        return write_viewer_trace(path, seen)
    panels = {p.name: p for p in all_panels(trace, seen, attained)}
    if panel not in ("picture", "all", *panels):
        raise InputError(f"no panel {panel!r} of these runs; there are picture, {', '.join(panels)}")
    if path.suffix in NUMBERS:
        return _write_numbers(path, panel, panels, trace, seen)
    if panel == "picture":
        return _draw_pictures(path, trace, seen)
    from .figure import draw_panel
    from .page import run_styles

    draw_panel(panels[panel], run_styles(runs), path)


def _write_numbers(path: Path, panel: str, panels: dict[str, Panel], trace: Trace, seen: Sequence[Seen]) -> None:
    parts = [p.table() for name, p in panels.items() if panel in (name, "all")]
    if panel in ("picture", "all"):
        parts.append(picture_table(gallery(trace, seen, range(len(seen))), seen))
    mixed = len({frame.schema["x"] for frame in parts}) > 1  # predictors by name, as a heat map has, beside numbers
    table = pl.concat([frame.cast({"x": pl.String}) if mixed else frame for frame in parts])
    with replacing(path) as part:
        if path.suffix == ".csv":
            table.write_csv(part)
        else:
            table.write_parquet(part)


def picture_table(shown: Gallery, seen: Sequence[Seen]) -> pl.DataFrame:
    """The memory picture as rows: x the time, y the tokens held then by requests that waited so long."""
    names = [f"{name} {shown.wait.unit}" for name in class_names(shown.wait)]
    parts = [
        pl.DataFrame({"panel": "picture", "series": f"{seen[k].label}, waited {name}", "x": d.moment, "y": tokens})
        for k, d in zip(shown.runs, shown.densities, strict=True)
        for name, tokens in zip(names, d.wait, strict=True)
    ]
    return pl.concat(parts)


def _draw_pictures(path: Path, trace: Trace, seen: Sequence[Seen]) -> None:
    from .figure import draw_pictures

    shown = gallery(trace, seen, range(len(seen)))
    draw_pictures(stills(shown, seen, shown.runs), shown.wait, path)
