"""Panels as still pictures (SVG), for a page without script and for print. Colours are classes of the page's style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np

from ..host.result import Floats
from .bands import Stays
from .panel import Axis, Panel
from .words import number

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 620, 62, 14, 12, 44
_POINTS = 240
Scale = Callable[[Any], Any]


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round places between two values."""
    raw = (high - low) / max(1, most)
    if not (np.isfinite(raw) and raw > 0):
        return [low]
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(k * step) + 0.0 for k in np.arange(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Powers of ten between two positive values, with 2 and 5 where there is room; else round places."""
    first, last = int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9))
    close = [m * 10.0**e for e in range(first - 1, last + 1) for m in (1, 2, 5)]
    close = [v for v in close if low * 0.999 <= v <= high * 1.001]
    if len(close) < 2:
        return nice_ticks(low, high, most)
    every = max(1, -(-(last - first + 1) // most))
    return close if len(close) <= most else [10.0**e for e in range(first, last + 1, every)]


def tick_text(value: float) -> str:
    """A number as short as an axis needs."""
    size = abs(value)
    for least, unit, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= least:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.0e}".replace("e-0", "e-") if 0 < size < 1e-3 else f"{value:.4g}"


def extent(panel: Panel, name: str) -> tuple[float, float]:
    """The range of an axis: the least and greatest value that can be shown on it."""
    axis: Axis = getattr(panel, name)
    if axis.limits:
        return axis.limits
    if axis.names:
        return -1.1 if panel.kind == "dot" else -0.5, len(axis.names) - 0.5
    values = np.concatenate([getattr(s, name) for s in panel.series] or [np.array([1.0])])
    values = values[np.isfinite(values) & ((values > 0) | (not axis.log))]
    low, high = (float(values.min()), float(values.max())) if len(values) else (1.0, 10.0)
    if name == "x" and panel.kind == "dot":
        return min(0.95, 0.95 * low), max(1.5 * high, 2.0)
    for mark in (m for m in panel.marks if m.axis == name):
        low, high = min(low, mark.at), max(high, mark.at)
    if name == "y" and not axis.log:
        return 0.0, 1.08 * high or 1.0
    return low, high if high > low else low * 10 if axis.log else low + 1


def _scale(axis: Axis, low: float, high: float, start: float, end: float) -> Scale:
    move: Scale = np.log if axis.log else np.asarray
    a, b = float(move(low)), float(move(high))
    return lambda v: start + (move(v) - a) / (b - a) * (end - start)


def panel_svg(panel: Panel, styles: Sequence[str], height: int = 270) -> str:
    """A panel as an SVG element; ``styles`` are the classes of each run's line."""
    if panel.y.names:
        height = (64 + 34 * len(panel.y.names)) if panel.kind == "heat" else 90 + 26 * len(panel.y.names)
    left = min(0.4 * WIDTH, 16 + 7.3 * max(min(len(n), 24) for n in panel.y.names)) if panel.y.names else LEFT
    box = (left, WIDTH - RIGHT, height - BOTTOM, TOP)
    x = _scale(panel.x, *extent(panel, "x"), box[0], box[1])
    low, high = extent(panel, "y")
    y = _scale(panel.y, *((high, low) if panel.y.names else (low, high)), box[2], box[3])
    parts = [*_shade(panel, x, box), *_axes(panel, x, y, box)]
    if panel.kind == "heat":
        parts += _cells(panel, box)
    for s in reversed(panel.series):
        style = styles[s.run] if s.run is not None else "s0 d0"
        parts.append(_dot(s.x[0], s.y[0], x, y, style) if panel.kind == "dot" else _line(panel, s.x, s.y, x, y, style))
        if panel.kind == "points":
            parts += [
                f'<circle class="dot {style}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.5"/>'
                for a, b in zip(s.x, s.y, strict=True)
            ]
    return _element(panel.title, height, parts + _marks(panel, x, y, box))


def _element(title: str, height: int, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
    return f'{head} aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _text(x: float, y: float, text: str, anchor: str = "middle", style: str = "", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}"{more}>{escape(text)}</text>'


def _axes(panel: Panel, x: Scale, y: Scale, box: tuple[float, ...]) -> list[str]:
    left, right, bottom, top = box
    parts = ['<g class="axis">', f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{bottom}" y2="{bottom}"/>']
    for at, text in _places(panel.x, *extent(panel, "x"), 7, 14):
        parts.append(_text(x(at), bottom + 17, text))
    for at, text in _places(panel.y, *extent(panel, "y"), 7 if panel.y.log else 5, 24):
        if not panel.y.names:
            parts.append(f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>')
        parts.append(_text(left - 7, y(at) + 4, text, "end"))
    parts.append(_text((left + right) / 2, bottom + 36, panel.x.title, style="title"))
    middle = (top + bottom) / 2
    if not panel.y.names:
        parts.append(_text(13, middle, panel.y.title, style="title", more=f' transform="rotate(-90 13 {middle})"'))
    return [*parts, "</g>"]


def _shade(panel: Panel, x: Scale, box: tuple[float, ...]) -> list[str]:
    """The ground of a part of the x axis, its name above the axis at its right end."""
    if panel.shaded is None:
        return []
    low, high, (_, _, bottom, top) = float(x(panel.shaded.low)), float(x(panel.shaded.high)), box
    ground = f'<rect class="shaded" x="{low:.1f}" y="{top}" width="{high - low:.1f}" height="{bottom - top}"/>'
    return [ground, _text(high - 7, bottom - 9, panel.shaded.label, "end", "marked")]


def _places(axis: Axis, low: float, high: float, most: int, clip: int) -> list[tuple[float, str]]:
    if axis.names:
        return [(float(k), name if len(name) <= clip else f"{name[: clip - 1]}…") for k, name in enumerate(axis.names)]
    values = log_ticks(low, high, most) if axis.log else nice_ticks(low, high, most)
    return [(v, tick_text(v)) for v in values]


def _line(panel: Panel, xs: Floats, ys: Floats, x: Scale, y: Scale, style: str) -> str:
    good = np.isfinite(ys) & ((xs > 0) | (not panel.x.log)) & ((ys > 0) | (not panel.y.log))
    xs, ys = _thinned(xs[good], ys[good])
    if not len(xs):
        return ""
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x(xs), y(ys), strict=True))
    return f'<polyline class="line {style}" points="{points}"/>'


def _thinned(xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
    """At most 240 points, the highest of each stretch: a peak stays."""
    if len(xs) <= _POINTS:
        return xs, ys
    cuts = np.linspace(0, len(xs), _POINTS + 1).astype(int)
    keep = np.unique([0, len(xs) - 1, *(a + int(np.argmax(ys[a:b])) for a, b in pairwise(cuts))])
    return xs[keep], ys[keep]


def _dot(value: float, place: float, x: Scale, y: Scale, style: str) -> str:
    return (
        f'<line class="stem {style}" x1="{x(1.0):.1f}" x2="{x(value):.1f}" y1="{y(place):.1f}" y2="{y(place):.1f}"/>'
        f'<circle class="dot {style}" cx="{x(value):.1f}" cy="{y(place):.1f}" r="5"/>'
        + _text(x(value) + 10, y(place) + 4, f"{value:.2f}", "start", "value")
    )


def _marks(panel: Panel, x: Scale, y: Scale, box: tuple[float, ...]) -> list[str]:
    left, right, bottom, top = box
    parts: list[str] = []
    for mark in panel.marks:
        if mark.axis == "y":
            at = float(y(mark.at))
            style = "mark capacity" if panel.name in ("memory", "picture") else "mark"
            parts.append(f'<line class="{style}" x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
            end = (
                (right - 4, at - 5, mark.label, "end")
                if "capacity" in style
                else (left + 5, at - 5, mark.label, "start")
            )
            parts.append(_text(*end, "marked"))
            if "capacity" in style:
                parts.append(f'<circle class="{style}" cx="{left + 16}" cy="{at:.1f}" r="6"/>')
        else:
            at = float(x(mark.at))
            parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}"/>')
            late = at > 0.3 * left + 0.7 * right
            parts.append(_text(at - 5 if late else at + 5, top + 10, mark.label, "end" if late else "start", "marked"))
    return parts


def _cells(panel: Panel, box: tuple[float, ...]) -> list[str]:
    left, right, bottom, top = box
    cells = panel.cells if panel.cells is not None else np.empty((0, 0))
    rows, across = cells.shape
    wide, tall = (right - left) / across, (bottom - top) / rows
    level = heat_levels(cells)
    parts: list[str] = []
    for (r, c), value in np.ndenumerate(cells):
        kind = f"h{level[r, c]}" if np.isfinite(value) else "hnone"
        a, b = left + c * wide + 1, top + r * tall + 1
        size = f'width="{wide - 2:.1f}" height="{tall - 2:.1f}"'
        parts.append(f'<rect class="cell {kind}" x="{a:.1f}" y="{b:.1f}" {size} rx="3"/>')
        text = number(float(value)) if np.isfinite(value) else "unstable"
        parts.append(_text(a + wide / 2 - 1, b + tall / 2 + 3, text, style=f"celltext {kind}"))
    return parts


def heat_levels(cells: Floats) -> Any:
    """The shade of every cell, 0 (least) to 6, evenly on a logarithmic scale."""
    good = cells[np.isfinite(cells) & (cells > 0)]
    if not len(good) or good.max() <= good.min():
        return np.zeros(cells.shape, int)
    low, high = np.log(good.min()), np.log(good.max())
    safe = np.where(np.isfinite(cells) & (cells > 0), cells, good.min())
    return np.rint(6 * (np.log(safe) - low) / (high - low)).astype(int)


def picture_svg(panel: Panel, parts: Floats, stays: Stays | None = None, height: int = 330) -> str:
    """A memory picture: a band for each request where they are given, else stacked areas by class.

    Parameters
    ----------
    panel : its axes with their limits, one series for the times, and ``marks`` for the capacity.
    parts : shape (7, b), tokens by class at those times.
    """
    box = (LEFT, WIDTH - RIGHT, height - BOTTOM, TOP)
    x = _scale(panel.x, *extent(panel, "x"), box[0], box[1])
    y = _scale(panel.y, *extent(panel, "y"), box[2], box[3])
    if stays is None:
        shapes = [_area(f"w{c}", outline, x, y) for c, outline in enumerate(areas(panel.series[0].x, parts))]
    else:
        shapes = [_area(f"stay w{c}", outline, x, y) for c, outline in zip(stays.classes, stays.outlines, strict=True)]
    return _element(panel.title, height, shapes + _axes(panel, x, y, box) + _marks(panel, x, y, box))


def areas(times: Floats, parts: Floats) -> list[Floats]:
    """The outlines of stacked areas, each of shape (2 b, 2): along the upper edge, and back along the lower."""
    sums = np.concatenate([np.zeros((1, parts.shape[1])), np.cumsum(parts, axis=0)])
    edges = [np.column_stack([times, edge]) for edge in sums]
    return [np.concatenate([up, down[::-1]]) for down, up in pairwise(edges)]


def _area(style: str, outline: Floats, x: Scale, y: Scale) -> str:
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x(outline[:, 0]), y(outline[:, 1]), strict=True))
    return f'<polygon class="{style}" points="{points}"/>'
