"""The memory picture: every request a wedge, coloured by its wait or its volume, under the capacity line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..host.result import Floats, Ints
from ..trace import Trace
from .bands import Stays, stays
from .curve import Wedges, first_start, peaks, stacked
from .pack import Pack
from .panel import Axis, Mark, Panel, Series
from .panels import Seen, common_span
from .words import number

CLASSES = 7
BINS = 1024
MOST_PICTURES = 12
MOST_WEDGES = 200_000
MOST_CELLS = 200_000


@dataclass(frozen=True)
class Scale:
    """Classes of a positive quantity with round edges.

    Attributes
    ----------
    edges : shape (6,), ascending; class 0 lies below the first, class 6 from the last on.
    """

    label: str
    unit: str
    edges: tuple[float, ...]

    def of(self, values: Floats) -> Ints:
        """The class of each value; NaN counts as the last."""
        return np.where(np.isnan(values), CLASSES - 1, np.searchsorted(self.edges, values, "right")).astype(np.int64)


def scale(label: str, unit: str, values: Floats, first: float | None = None) -> Scale:
    """Round edges, evenly apart on a logarithmic scale, the last below some value; ``first`` fixes the lowest."""
    good = values[np.isfinite(values) & (values > 0)]
    top = float(np.quantile(good, 0.995)) if len(good) else 10.0
    low = first if first is not None else float(np.quantile(good, 0.05)) if len(good) else 1.0
    top = max(top, low * 100)
    wanted = np.geomspace(low, top * 0.8, CLASSES - 1)
    edges: list[float] = []
    for value in wanted:
        near_by = [m * 10 ** np.floor(np.log10(value)) for m in (1, 2, 5, 10)]
        if value == wanted[-1]:
            near_by = [m for m in near_by if m <= value * 1.001]
        near = min(near_by, key=lambda m: abs(np.log(m / value)))
        edges.append(float(near) if not edges or near > edges[-1] else edges[-1] * 2)
    return Scale(label, unit, tuple(edges))


def wait_scale(unit: str, waits: Floats) -> Scale:
    """Classes of waiting times; what is under a round, or a tenth of a second, counts as no wait."""
    return scale("wait before the start", unit, waits, 1.0 if unit == "rounds" else 0.1)


def class_names(scale: Scale) -> list[str]:
    """The classes of a scale in words, in its unit."""
    edges = [number(e) for e in scale.edges]
    between = (f"{a} to {b}" for a, b in pairwise(edges))
    return [f"under {edges[0]}", *between, f"{edges[-1]} or more"]


@dataclass(frozen=True)
class Density:
    """A whole run's memory in bins, split by class; the composition is that of the bin's fullest moment.

    Attributes
    ----------
    moment : shape (b,), when each bin is fullest.
    wait, volume : shape (7, b), tokens by class of wait and of volume.
    """

    moment: Floats
    wait: Floats
    volume: Floats


@dataclass(frozen=True)
class Gallery:
    """The pictures of a comparison, on one clock and with the same colours."""

    span: tuple[float, float]
    wait: Scale
    volume: Scale
    runs: list[int]
    densities: list[Density]
    waits: list[Floats]


def gallery(trace: Trace, seen: Sequence[Seen], first: Sequence[int]) -> Gallery:
    """Densities of at most 12 runs: ``first`` (places in the ranking), then the others as ranked."""
    shown = list(dict.fromkeys([*first, *range(len(seen))]))[:MOST_PICTURES]
    starts, stop = common_span(seen)
    edges = np.linspace(starts, stop, BINS + 1)
    unit = seen[0].result.unit
    waits = [first_start(s.result, s.wedges) - s.result.arrival for s in seen]
    wait = wait_scale(unit, np.concatenate([waits[k] for k in shown]))
    volume = scale("volume", "token-rounds", trace.volume.astype(np.float64))
    sizes = volume.of(trace.volume.astype(np.float64))
    densities: list[Density] = []
    for k in shown:
        moment, _ = peaks(seen[k].line, edges)
        by_wait = stacked(seen[k].wedges, wait.of(waits[k]), CLASSES, moment)
        densities.append(Density(moment, by_wait, stacked(seen[k].wedges, sizes, CLASSES, moment)))
    return Gallery((starts, stop), wait, volume, shown, densities, waits)


@dataclass(frozen=True)
class Still:
    """A memory picture that does not move: a band for each request where they can be told apart, else areas by class.

    Attributes
    ----------
    run : the run shown.
    panel : its title, its axes and the capacity; one series for the times.
    parts : shape (7, b), tokens by class of wait at those times.
    """

    run: Seen
    panel: Panel
    parts: Floats
    stays: Stays | None


def stills(shown: Gallery, seen: Sequence[Seen], places: Sequence[int]) -> list[Still]:
    """The pictures of some runs, coloured by wait: all of them with bands, or none."""
    single = [stays(seen[k].wedges, shown.wait.of(shown.waits[k]), shown.span, seen[k].result.capacity) for k in places]
    if None in single:
        single = [None] * len(single)
    return [_still(shown, seen[k], k, bands) for k, bands in zip(places, single, strict=True)]


def _still(shown: Gallery, s: Seen, k: int, bands: Stays | None) -> Still:
    capacity, density = s.result.capacity, shown.densities[shown.runs.index(k)]
    axes = (
        Axis("time", s.result.unit, time=True, limits=shown.span),
        Axis("KV cache held", "tokens", limits=(0.0, 1.12 * capacity)),
    )
    times = Series(s.label, density.moment, density.moment, k)
    mark = Mark("y", capacity, f"capacity {capacity:,} tokens")
    return Still(s, Panel("picture", f"Memory of {s.label}", "", *axes, [times], [mark]), density.wait, bands)


def window(seen: Sequence[Seen], runs: Sequence[int], span: tuple[float, float]) -> tuple[float, float]:
    """The stretch of time whose every wedge is in the page: all of it, or a close-up where the first run is fullest."""
    lines = [seen[k].line for k in runs]
    if sum(len(line.starts) for line in lines) <= MOST_WEDGES and len(seen[0].result) * len(seen) <= MOST_CELLS:
        return span
    most = min(MOST_WEDGES, MOST_CELLS // len(seen))
    middle = (span[0] + span[1]) / 2

    def touching(width: float) -> int:
        low, high = middle - width / 2, middle + width / 2
        return sum(int(np.searchsorted(x.starts, high, "left") - np.searchsorted(x.stops, low, "left")) for x in lines)

    width = span[1] - span[0]
    while touching(width) > most and width > 1e-6 * (span[1] - span[0]):
        width *= 0.8
    return middle - width / 2, middle + width / 2


def pictures_json(
    pack: Pack, seen: Sequence[Seen], shown: Gallery, place: Ints, stretch: tuple[float, float]
) -> list[dict[str, Any]]:
    """What the viewer draws of each run: its density, and the wedges that touch the stretch told one by one.

    Parameters
    ----------
    place : shape (n,), the place of each request in the page's table.
    """
    out: list[dict[str, Any]] = []
    start = shown.span[0]
    for k, density in zip(shown.runs, shown.densities, strict=True):
        w = seen[k].wedges
        w = w.keep((w.start < stretch[1]) & (w.stop >= stretch[0]))
        out.append(
            {
                "run": k,
                "moment": pack.add(density.moment - start),
                "wait": pack.add(np.rint(density.wait).astype(np.int64)),
                "volume": pack.add(np.rint(density.volume).astype(np.int64)),
                "row": pack.add(place[w.id]),
                "start": pack.add(w.start - start),
                "stop": pack.add(w.stop - start),
                "kept": pack.add(w.kept),
                "evicted": pack.add(w.evicted),
                **_clock(pack, w, stretch, start),
            }
        )
    return out


def _clock(pack: Pack, w: Wedges, stretch: tuple[float, float], start: float) -> dict[str, Any]:
    """Where a step is not the unit, when each step that the stretch touches was."""
    steps, times = w.clock.steps, w.clock.times
    if steps is None or times is None:
        return {}
    low, high = np.searchsorted(times, stretch)
    near = slice(max(0, int(low) - 1), int(high) + 1)
    zero = steps[near][0]
    return {
        "first": pack.add(w.first - zero),
        "steps": pack.add(steps[near] - zero),
        "times": pack.add(times[near] - start),
    }
