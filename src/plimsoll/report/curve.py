"""Memory and queue over time, exactly as a run left them: no sampling, so that a peak is never lost.

A request holds tokens in *wedges*: from a start to the stop that follows, it begins with its prompt and the tokens
kept from before, and grows by one a step. Memory falls only when a wedge ends, so between two events it is largest
at the later one: looking at the events alone finds every peak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..host.result import Floats, Ints, Result


@dataclass(frozen=True)
class Wedges:
    """Every stay of a request in memory, by ascending start.

    Attributes
    ----------
    id : shape (a,), the request's place in the trace.
    start, stop : shape (a,), the run's unit; a wedge counts in ``start < t <= stop``.
    held : shape (a,), tokens at the start: the prompt and what was kept.
    grown : shape (a,), tokens added until the stop.
    kept : shape (a,), output tokens kept from earlier stays.
    evicted : shape (a,), True where the stay ended before the output did.
    """

    id: Ints
    start: Floats
    stop: Floats
    held: Ints
    grown: Ints
    kept: Ints
    evicted: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.id)

    def keep(self, rows: npt.NDArray[np.bool_]) -> Wedges:
        """The wedges of a mask of shape (a,)."""
        return Wedges(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def wedges(result: Result) -> Wedges:
    """The stays of a result; those still going on when an unstable run was given up end at its last event."""
    log = result.attempts
    if len(log):
        last = int(log[:, 2].max())
        log = np.concatenate([log, _unfinished(result, last)]) if result.status != "ok" else log
    order = np.argsort(log[:, 1], kind="stable")
    ids, start, stop, kept = log[order].T
    grown = stop - start
    evicted = kept + grown < result.output[ids]
    begin, end = _times(result, ids, start, stop, evicted)
    return Wedges(ids, begin, end, result.prompt[ids] + kept, grown, kept, evicted)


def _unfinished(result: Result, last: int) -> Ints:
    """Stays that no stop has ended, as attempts that stop at step ``last``; only where steps are the unit."""
    if result.unit != "rounds":
        return np.empty((0, 4), np.int64)
    ended = np.full(len(result), -1.0)
    np.maximum.at(ended, result.attempts[:, 0], result.attempts[:, 1].astype(np.float64))
    ids = np.flatnonzero(np.isfinite(result.start) & np.isnan(result.finish) & (result.start > ended))
    begin = result.start[ids].astype(np.int64)
    return np.stack([ids, begin, np.maximum(begin, last), np.zeros_like(ids)], axis=1)


def _times(result: Result, ids: Ints, start: Ints, stop: Ints, evicted: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Steps as times. Where a step is not the unit, the last stay of each finished request tells the time of two."""
    if result.unit == "rounds":
        return start.astype(np.float64), stop.astype(np.float64)
    known = ~evicted & np.isfinite(result.finish[ids])
    steps = np.concatenate([start[known], stop[known]])
    times = np.concatenate([result.start[ids[known]], result.finish[ids[known]]])
    order = np.lexsort((times, steps))
    steps, first = np.unique(steps[order], return_index=True)
    times = np.maximum.accumulate(times[order][first])
    return np.interp(start, steps, times), np.interp(stop, steps, times)


def span(result: Result) -> tuple[float, float]:
    """From the first arrival to the last thing that happened."""
    ends = result.finish[np.isfinite(result.finish)]
    first = float(np.nanmin(result.arrival))
    last = float(ends.max()) if len(ends) else float(np.nanmax(result.arrival))
    if len(result.attempts) and result.unit == "rounds":
        last = max(last, float(result.attempts[:, 2].max()))
    return first, max(last, first + 1e-9)


@dataclass(frozen=True)
class Line:
    """A sum of wedges as a function of time: a step function plus a slope that is one too."""

    starts: Floats
    stops: Floats
    level: tuple[Floats, Floats]
    slope: tuple[Floats, Floats]

    @staticmethod
    def of(w: Wedges) -> Line:
        """The line of wedges sorted by start."""
        length = np.maximum(w.stop - w.start, 1e-12)
        rate = np.where(w.grown > 0, w.grown / length, 0.0)
        base = w.held - rate * w.start
        by_stop = np.argsort(w.stop, kind="stable")
        sums = [np.concatenate([[0.0], np.cumsum(v)]) for v in (base, base[by_stop], rate, rate[by_stop])]
        return Line(w.start, w.stop[by_stop], (sums[0], sums[1]), (sums[2], sums[3]))

    def at(self, times: Floats) -> Floats:
        """Tokens held at each time, shape as ``times``: the wedges with start < t <= stop."""
        begun, ended = np.searchsorted(self.starts, times, "left"), np.searchsorted(self.stops, times, "left")
        level = self.level[0][begun] - self.level[1][ended]
        slope = self.slope[0][begun] - self.slope[1][ended]
        return level + slope * times

    def count(self, times: Floats) -> Ints:
        """Wedges at each time."""
        return np.searchsorted(self.starts, times, "left") - np.searchsorted(self.stops, times, "left")


def peaks(line: Line, edges: Floats) -> tuple[Floats, Floats]:
    """The largest memory in each bin and when it was reached.

    Parameters
    ----------
    edges : shape (b + 1,), ascending times; bin i is edges[i] < t <= edges[i + 1].

    Returns
    -------
    moment, use : shape (b,), times and tokens.
    """
    times = _merged(line.stops, edges)[1:]
    return _largest(times, line.at(times), edges)


def _merged(events: Floats, edges: Floats) -> Floats:
    """The edges and the events between them, ascending; both come sorted."""
    inside = events[np.searchsorted(events, edges[0], "right") : np.searchsorted(events, edges[-1], "right")]
    return np.insert(inside, np.searchsorted(inside, edges, "right"), edges)


def _largest(times: Floats, values: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """In each bin the largest value and the last time it is reached; ``times`` ascend and hold every right edge."""
    begins = np.searchsorted(times, edges[:-1], "right")
    most = np.maximum.reduceat(values, begins)
    place = np.searchsorted(begins, np.arange(len(times)), "right") - 1
    reached = np.flatnonzero(values == most[place])
    last = reached[np.searchsorted(reached, np.append(begins[1:], len(times))) - 1]
    return times[last], most


def waiting(result: Result, w: Wedges, edges: Floats) -> Floats:
    """The most requests that wait at once in each bin, shape (b,)."""
    arrivals = np.sort(result.arrival[np.isfinite(result.arrival)])
    back = np.sort(w.stop[w.evicted])
    times = _merged(np.sort(np.concatenate([arrivals, back])) if len(back) else arrivals, edges)
    queue = (
        np.searchsorted(arrivals, times, "right")
        - np.searchsorted(w.start, times, "right")
        + np.searchsorted(back, times, "right")
    ).astype(np.float64)
    at_start = queue[np.searchsorted(times, edges[:-1], "right") - 1]  # it stays as it was until something happens
    return np.maximum(at_start, _largest(times, queue, edges)[1])


def stacked(w: Wedges, classes: Ints, count: int, moments: Floats) -> Floats:
    """Memory at given moments, split by class of request.

    Parameters
    ----------
    classes : shape (n,), the class of each request, 0 to ``count`` - 1.
    moments : shape (b,), as from ``peaks``.

    Returns
    -------
    shape (count, b), tokens; the columns add up to the memory at the moment.
    """
    of = classes[w.id]
    return np.stack([np.maximum(Line.of(w.keep(of == c)).at(moments), 0.0) for c in range(count)])


def first_start(result: Result, w: Wedges) -> Floats:
    """When each request first entered memory, shape (n,); NaN where it never did."""
    first = np.full(len(result), np.inf)
    np.minimum.at(first, w.id, w.start)
    return np.where(np.isfinite(first), first, np.nan)


def redone(w: Wedges, result: Result) -> Ints:
    """Tokens computed again because of the stay before, for each wedge: KV rebuilt and output lost, shape (a,)."""
    order = np.lexsort((w.start, w.id))
    again = np.concatenate([[False], w.id[order][1:] == w.id[order][:-1]])
    before = np.concatenate([[0], (w.kept + w.grown)[order][:-1]])
    lost = np.where(again, result.prompt[w.id[order]] + before, 0)
    out = np.empty(len(w), np.int64)
    out[order] = lost
    return out
