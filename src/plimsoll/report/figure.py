"""Panels as figures for papers: PNG, SVG or PDF through Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..errors import InputError
from ..host.result import Floats
from .panel import Panel
from .svg import extent, heat_levels, log_ticks, nice_ticks, tick_text
from .words import number

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b8568f", "#b07d00", "#3aa0d8", "#6b6f76", "#7a5195")
CLASS_COLOURS = ("#2c6fa6", "#64a5c9", "#a9d2e2", "#f3e2a9", "#f2b35e", "#df7236", "#ad2c1c")
_SHADES = ("#eef4f8", "#d3e3ef", "#b1cde2", "#88b1d2", "#5d92be", "#3a73a3", "#1f5380")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_STYLE = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#566470",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "grid.color": "#e7ebee",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "plimsoll",
}


def load_matplotlib() -> Any:
    """Matplotlib with its figures, which need no display; where it is missing, one line that says how to get it."""
    try:
        import_module("matplotlib.figure")
        return import_module("matplotlib")
    except ImportError:
        raise InputError("figures need Matplotlib: pip install 'plimsoll[plot]'") from None


def save(figure: Any, path: Path) -> None:
    """Write a figure in the format that the ending names; the same numbers make the same file."""
    dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix[1:])
    with replacing(path) as part:
        figure.savefig(part, dpi=200, metadata=dated)


def draw_panel(panel: Panel, styles: Sequence[str], path: Path) -> None:
    """One panel, 130 mm wide.

    Parameters
    ----------
    styles : "s0 d0" and so on: the colour and the dash of each run.

    Raises
    ------
    InputError
        If Matplotlib is missing, or the file cannot be written.
    """
    matplotlib = load_matplotlib()
    with matplotlib.rc_context(_STYLE):
        tall = 0.9 + 0.22 * len(panel.y.names) if panel.y.names else 2.9
        figure = matplotlib.figure.Figure(figsize=(5.1, tall), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(panel.title)
        {"line": _lines, "points": _lines, "dot": _dots, "heat": _heat}[panel.kind](axes, panel, styles)
        for mark in panel.marks:
            _mark(axes, mark.axis, mark.at, mark.label)
        axes.set_xlabel(panel.x.title)
        axes.set_ylabel(panel.y.title)
        save(figure, path)


def _style(styles: Sequence[str], run: int | None) -> dict[str, Any]:
    colour, dash = (int(part[1:]) for part in (styles[run] if run is not None else "s0 d0").split())
    return {"color": COLOURS[colour], "linestyle": _DASHES[dash], "linewidth": 1.2}


def _scales(axes: Any, panel: Panel) -> None:
    for name, axis in (("x", panel.x), ("y", panel.y)):
        low, high = extent(panel, name)
        getattr(axes, f"set_{name}lim")(*((high, low) if name == "y" and axis.names else (low, high)))
        if axis.names:
            getattr(axes, f"set_{name}ticks")(range(len(axis.names)), axis.names)
            continue
        if axis.log:
            getattr(axes, f"set_{name}scale")("log")
        places = log_ticks(low, high) if axis.log else nice_ticks(low, high)
        getattr(axes, f"set_{name}ticks")(places, [tick_text(v) for v in places])
        getattr(axes, f"set_{name}ticks")([], minor=True)


def _lines(axes: Any, panel: Panel, styles: Sequence[str]) -> None:
    axes.grid(axis="y")
    for s in panel.series:
        marked = {"marker": "o", "markersize": 3.5, "clip_on": False} if panel.kind == "points" else {}
        axes.plot(s.x, s.y, label=_shown(s.name), **_style(styles, s.run), **marked)
    _scales(axes, panel)
    if len(panel.series) > 1:
        axes.figure.legend(loc="outside lower center", ncols=min(4, len(panel.series)), handlelength=2.4)


def _shown(name: str) -> str:
    """A name as plain text: Matplotlib reads a dollar sign as mathematics and hides a leading underscore."""
    return name.replace("$", r"\$").removeprefix("_") or "–"


def _dots(axes: Any, panel: Panel, styles: Sequence[str]) -> None:
    for s in panel.series:
        style = _style(styles, s.run)
        axes.plot([1, s.x[0]], [s.y[0]] * 2, color=style["color"], linewidth=1.2, alpha=0.5)
        axes.plot(s.x, s.y, "o", color=style["color"], markersize=4.5)
        axes.annotate(number(s.x[0]), (s.x[0], s.y[0]), (6, -2.5), textcoords="offset points", fontsize=7)
    _scales(axes, panel)
    axes.tick_params(axis="y", length=0)


def _heat(axes: Any, panel: Panel, styles: Sequence[str]) -> None:
    cells = panel.cells if panel.cells is not None else np.empty((0, 0))
    level = heat_levels(cells)
    _scales(axes, panel)
    for (r, c), value in np.ndenumerate(cells):
        good = bool(np.isfinite(value))
        face = _SHADES[level[r, c]] if good else "none"
        axes.fill_between([c - 0.48, c + 0.48], r - 0.47, r + 0.47, facecolor=face, linewidth=0)
        ink = "white" if good and level[r, c] > 3 else "#10171e"
        axes.text(c, r, number(float(value)) if good else "unstable", ha="center", va="center", color=ink, fontsize=7)
    axes.tick_params(length=0)


def _mark(axes: Any, axis: str, at: float, label: str) -> None:
    draw = axes.axhline if axis == "y" else axes.axvline
    draw(at, color="black", linewidth=0.9, linestyle="-" if label.startswith("capacity") else (0, (4, 3)))
    if axis == "y":
        axes.annotate(label, (1, at), (-2, 3), ("axes fraction", "data"), "offset points", ha="right", fontsize=7)
    else:
        late = axes.transLimits.transform((axes.transScale.transform((at, 1))[0], 0))[0] > 0.7
        place, side = ((-3, -7), "right") if late else ((3, -7), "left")
        axes.annotate(label, (at, 1), place, ("data", "axes fraction"), "offset points", ha=side, fontsize=7)


def draw_pictures(
    pictures: Sequence[tuple[str, Floats, Floats]], legend: Sequence[str], axes_of: Panel, path: Path
) -> None:
    """Memory pictures side by side, as stacked areas under the capacity line.

    Parameters
    ----------
    pictures : of each run its name, the times (b,) and the tokens by class (7, b) at those times.
    legend : the names of the 7 classes.
    axes_of : its axes, and its mark the capacity.
    """
    matplotlib = load_matplotlib()
    with matplotlib.rc_context(_STYLE):
        size = (3.5 * max(1.4, len(pictures)), 3.0)
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        for place, (name, times, parts) in enumerate(pictures):
            axes = figure.add_subplot(1, len(pictures), place + 1)
            drawn = axes.stackplot(times, parts, colors=CLASS_COLOURS, linewidth=0, rasterized=True)
            capacity = axes_of.marks[0]
            _mark(axes, "y", capacity.at, capacity.label)
            axes.set_title(_shown(name))
            axes.set_xlim(times[0], times[-1])
            axes.set_ylim(0, 1.12 * capacity.at)
            for axis, (low, high) in (("x", axes.get_xlim()), ("y", axes.get_ylim())):
                places = nice_ticks(low, high, 5)
                getattr(axes, f"set_{axis}ticks")(places, [tick_text(v) for v in places])
            axes.set_xlabel(axes_of.x.title)
            if place == 0:
                axes.set_ylabel(axes_of.y.title)
                figure.legend(drawn, legend, loc="outside lower center", ncols=4, handlelength=1, handleheight=1)
        save(figure, path)
