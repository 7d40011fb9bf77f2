"""Panels as figures for papers: PNG, SVG or PDF through Matplotlib."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..errors import InputError
from .panel import Panel
from .picture import Scale, Still, class_names
from .svg import areas, extent, heat_levels, log_ticks, nice_ticks, tick_text
from .words import number

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b8568f", "#b07d00", "#3aa0d8", "#6b6f76", "#7a5195")
CLASS_COLOURS = ("#2c6fa6", "#64a5c9", "#a9d2e2", "#f3e2a9", "#f2b35e", "#df7236", "#ad2c1c")
_SHADES = ("#eef4f8", "#d3e3ef", "#b1cde2", "#88b1d2", "#5d92be", "#3a73a3", "#1f5380")
_INK, _QUIET, _GROUND, _GRID, _LINE = "#16212b", "#566470", "#ffffff", "#e7ebee", "#c6ced5"
_DARK = {
    _INK: "#e4eaef",
    _QUIET: "#9aa7b3",
    _GROUND: "#10171e",
    _GRID: "#222d37",
    _LINE: "#3b4854",
    "#0072b2": "#4da6e0",
    "#d55e00": "#ff8f4a",
    "#009e73": "#2fc79c",
    "#b8568f": "#e59fc6",
    "#b07d00": "#edb945",
    "#3aa0d8": "#9ad6f7",
    "#6b6f76": "#aeb4bb",
    "#7a5195": "#bb97d6",
}
"""What a colour becomes where an SVG is shown on a dark ground; those of classes and shades stay."""
_LONGEST_NAME = 36
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_STYLE = {
    "font.size": 8,
    "font.family": "sans-serif",
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": _LINE,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _QUIET,
    "ytick.labelcolor": _QUIET,
    "xtick.major.width": 0.6,
    "ytick.major.size": 0,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "figure.facecolor": _GROUND,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "plimsoll",
}


def load_matplotlib() -> Any:
    """Matplotlib with its figures, which need no display; where it is missing, one line that says how to get it."""
    try:
        import_module("matplotlib.collections")
        import_module("matplotlib.figure")
        return import_module("matplotlib")
    except ImportError:
        raise InputError("figures need Matplotlib: pip install 'plimsoll[plot]'") from None


def save(figure: Any, path: Path) -> None:
    """Write a figure in the format that the ending names; the same numbers make the same file."""
    dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix[1:])
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:], dpi=200, metadata=dated)
    data = drawn.getvalue()
    with replacing(path) as part:
        part.write_bytes(_for_two_grounds(data.decode()).encode() if path.suffix == ".svg" else data)


def _for_two_grounds(svg: str) -> str:
    """An SVG with a style for a dark ground, and its outlines as short as the eye allows."""
    rules = [
        f':not(text)[style*="{kind}: {light}"] {{ {kind}: {dark} !important }}'
        for light, dark in _DARK.items()
        for kind in ("fill", "stroke")
    ]
    rules += [f'text[style*="fill: {ink}"] {{ fill: {_DARK[ink]} !important }}' for ink in (_INK, _QUIET)]
    style = f"<style>@media (prefers-color-scheme: dark) {{ {' '.join(rules)} }}</style>"
    svg = re.sub(r' d="[^"]*"', lambda outline: _short(outline[0]), svg)
    return svg.replace("<defs>", f"{style}\n <defs>", 1)


def _short(outline: str) -> str:
    """An outline to a tenth of a point (curves to a hundredth), its straight lines without their letter."""
    rounded = re.sub(r"(\.\d\d)\d+" if "C" in outline else r"(\.\d)\d+", r"\1", outline)
    return re.sub(r"\s+", " ", rounded.replace("L ", "")) if "C" not in outline else rounded


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
            _mark(axes, panel, mark.axis, mark.at, mark.label)
        axes.set_xlabel(panel.x.title)
        axes.set_ylabel(panel.y.title)
        if panel.shaded is not None:
            axes.axvspan(panel.shaded.low, panel.shaded.high, color=_GRID, alpha=0.6, linewidth=0, zorder=0)
            place = (panel.shaded.high, 0), (-4, 4), ("data", "axes fraction"), "offset points"
            axes.annotate(panel.shaded.label, *place, ha="right", fontsize=7, color=_QUIET)
        save(figure, path)


def _style(styles: Sequence[str], run: int | None) -> dict[str, Any]:
    colour, dash = (int(part[1:]) for part in (styles[run] if run is not None else "s0 d0").split())
    return {"color": COLOURS[colour], "linestyle": _DASHES[dash], "linewidth": 1.2}


def _scales(axes: Any, panel: Panel) -> None:
    for name, axis in (("x", panel.x), ("y", panel.y)):
        low, high = extent(panel, name)
        getattr(axes, f"set_{name}lim")(*((high, low) if name == "y" and axis.names else (low, high)))
        if axis.names:
            getattr(axes, f"set_{name}ticks")(range(len(axis.names)), [_shown(n) for n in axis.names])
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
    """A name as short plain text: Matplotlib reads dollar signs as mathematics and hides a leading underscore."""
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    return short.replace("$", r"\$").removeprefix("_") or "–"


def _dots(axes: Any, panel: Panel, styles: Sequence[str]) -> None:
    for s in panel.series:
        style = _style(styles, s.run)
        axes.plot([1, s.x[0]], [s.y[0]] * 2, color=style["color"], linewidth=1.2, alpha=0.5)
        axes.plot(s.x, s.y, "o", color=style["color"], markersize=4.5)
        axes.annotate(f"{s.x[0]:.2f}", (s.x[0], s.y[0]), (6, -2.5), textcoords="offset points", fontsize=7)
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
        ink = "white" if good and level[r, c] > 3 else "#10171e" if good else _INK
        axes.text(c, r, number(float(value)) if good else "unstable", ha="center", va="center", color=ink, fontsize=7)
    axes.tick_params(length=0)


def _mark(axes: Any, panel: Panel, axis: str, at: float, label: str) -> None:
    draw = axes.axhline if axis == "y" else axes.axvline
    capacity = axis == "y" and panel.name in ("memory", "picture")
    draw(at, color=_INK, linewidth=1.1 if capacity else 0.8, linestyle="-" if capacity else (0, (4, 3)))
    if capacity:
        axes.plot(0.03, at, "o", transform=axes.get_yaxis_transform(), color=_INK, markersize=6, markerfacecolor="none")
        axes.annotate(label, (1, at), (-2, 3), ("axes fraction", "data"), "offset points", ha="right", fontsize=7)
    elif axis == "y":
        axes.annotate(label, (0, at), (3, 3), ("axes fraction", "data"), "offset points", fontsize=7)
    else:
        late = axes.transLimits.transform((axes.transScale.transform((at, 1))[0], 0))[0] > 0.7
        place, side = ((-3, -7), "right") if late else ((3, -7), "left")
        axes.annotate(label, (at, 1), place, ("data", "axes fraction"), "offset points", ha=side, fontsize=7)


def draw_pictures(stills: Sequence[Still], wait: Scale, path: Path) -> None:
    """Memory pictures side by side, coloured by wait, under the capacity line.

    Raises
    ------
    InputError
        If Matplotlib is missing, or the file cannot be written.
    """
    matplotlib = load_matplotlib()
    across = min(len(stills), 2 if len(stills) <= 4 else 3)
    down = -(-len(stills) // across)
    with matplotlib.rc_context(_STYLE):
        size = (3.7 * max(1.4, across), 2.35 * down + 0.5)
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        for place, picture in enumerate(stills):
            axes = figure.add_subplot(down, across, place + 1)
            _picture(axes, picture, matplotlib.collections.PolyCollection)
            axes.set_xlabel(picture.panel.x.title)
            if place % across == 0:
                axes.set_ylabel(picture.panel.y.title)
        swatches = [matplotlib.patches.Patch(facecolor=colour) for colour in CLASS_COLOURS]
        title, columns = f"{wait.label} ({wait.unit})", len(CLASS_COLOURS) if across > 1 else 4
        figure.legend(
            swatches, class_names(wait), title=title, loc="outside lower center", ncols=columns, handlelength=1,
            handleheight=1, columnspacing=1.3,
        )  # fmt: skip
        save(figure, path)


def _picture(axes: Any, picture: Still, collection: Any) -> None:
    """One memory picture: its bands, or its areas by class."""
    panel, stays = picture.panel, picture.stays
    outlines = areas(panel.series[0].x, picture.parts) if stays is None else stays.outlines
    classes = range(len(outlines)) if stays is None else stays.classes
    colours = [CLASS_COLOURS[c] for c in classes]
    between = {"edgecolors": _GROUND, "linewidths": 0.15} if stays else {"edgecolors": "face", "linewidths": 0}
    axes.add_collection(collection(outlines, facecolors=colours, rasterized=stays is None, clip_on=False, **between))
    axes.set_title(_shown(picture.run.label))
    axes.set_title(picture.run.told, loc="right", fontweight="normal", fontsize=8)
    for name, axis in (("x", panel.x), ("y", panel.y)):
        low, high = axis.limits or extent(panel, name)
        getattr(axes, f"set_{name}lim")(low, high)
        places = nice_ticks(low, min(high, panel.marks[0].at) if name == "y" else high, 5)
        getattr(axes, f"set_{name}ticks")(places, [tick_text(v) for v in places])
    _mark(axes, panel, "y", panel.marks[0].at, panel.marks[0].label)
