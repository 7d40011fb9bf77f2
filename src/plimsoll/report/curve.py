"""Memory and queue over time, exactly as a run left them: no sampling, so that a peak is never lost.

A request holds tokens in *wedges*: from a start to the stop that follows, it begins with its prompt and the tokens
kept from before, and grows by one a step. Memory falls only when a wedge ends, so between two events it is largest
at the later one: looking at the events alone finds every peak.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..host.result import Floats, Ints, Result


@dataclass(frozen=True)
class Clock:
    """Steps of the host and the run's unit, one for the other; ``None`` where they are the same.

    Attributes
    ----------
    steps, times : shape (k,), both strictly ascending: instants of which both are known.
    """

    steps: Floats | None = None
    times: Floats | None = None

    def time(self, steps: Floats) -> Floats:
        """The time of each step, straight lines between those known."""
        return steps if self.steps is None or self.times is None else np.interp(steps, self.steps, self.times)

    def step(self, times: Floats) -> Floats:
        """The step, or part of one, at each time."""
        return times if self.steps is None or self.times is None else np.interp(times, self.times, self.steps)


@dataclass(frozen=True)
class Wedges:
    """Every stay of a request in memory, by ascending start.

    Attributes
    ----------
    id : shape (a,), the request's place in the trace.
    start, stop : shape (a,), the run's unit; a wedge counts in ``start < t <= stop``.
    first : shape (a,), the start in steps of the host.
    held : shape (a,), tokens at the start: the prompt and what was kept.
    grown : shape (a,), tokens added until the stop, one a step.
    kept : shape (a,), output tokens kept from earlier stays.
    evicted : shape (a,), True where the stay ended before the output did.
    """

    id: Ints
    start: Floats
    stop: Floats
    first: Floats
    held: Ints
    grown: Ints
    kept: Ints
    evicted: npt.NDArray[np.bool_]
    clock: Clock

    def __len__(self) -> int:
        return len(self.id)

    def keep(self, rows: npt.NDArray[np.bool_]) -> Wedges:
        """The wedges of a mask of shape (a,)."""
        columns = {name: values[rows] for name, values in vars(self).items() if name != "clock"}
        return replace(self, **columns)


def wedges(result: Result) -> Wedges:
    """The stays of a result; those still going on when an unstable run was given up end at its last event."""
    log = result.attempts
    if len(log):
        last = int(log[:, 2].max())
        log = np.concatenate([log, _unfinished(result, last)]) if result.status != "ok" else log
    order = np.argsort(log[:, 1], kind="stable")
    ids, start, stop, kept = log[order].T
    evicted = kept + stop - start < result.output[ids]
    clock = _clock(result, ids, start, stop, evicted)
    first, last_step = start.astype(np.float64), stop.astype(np.float64)
    times = clock.time(first), clock.time(last_step)
    return Wedges(ids, *times, first, result.prompt[ids] + kept, stop - start, kept, evicted, clock)


def _unfinished(result: Result, last: int) -> Ints:
    """Stays that no stop has ended, as attempts that stop at step ``last``; only where steps are the unit."""
    if result.unit != "rounds":
        return np.empty((0, 4), np.int64)
    ended = np.full(len(result), -1.0)
    np.maximum.at(ended, result.attempts[:, 0], result.attempts[:, 1].astype(np.float64))
    ids = np.flatnonzero(np.isfinite(result.start) & np.isnan(result.finish) & (result.start > ended))
    begin = result.start[ids].astype(np.int64)
    return np.stack([ids, begin, np.maximum(begin, last), np.zeros_like(ids)], axis=1)


def _clock(result: Result, ids: Ints, start: Ints, stop: Ints, evicted: npt.NDArray[np.bool_]) -> Clock:
    """Where a step is not the unit, the last stay of each finished request tells the time of two steps."""
    if result.unit == "rounds":
        return Clock()
    known = ~evicted & np.isfinite(result.finish[ids])
    steps = np.concatenate([start[known], stop[known]]).astype(np.float64)
    times = np.concatenate([result.start[ids[known]], result.finish[ids[known]]])
    order = np.lexsort((times, steps))
    steps, at = np.unique(steps[order], return_index=True)
    times = times[order][at]
    if len(times) < 2:
        return Clock()
    onward = np.append(True, times[1:] > np.maximum.accumulate(times)[:-1])
    return Clock(steps[onward], times[onward])


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
    """A sum of wedges as a function of time: each holds ``held - first`` tokens and one for every step of the host.

    Attributes
    ----------
    starts, stops : shape (a,), ascending times.
    begun, ended : shape (a + 1,), running sums of ``held - first`` in the order of the starts and of the stops.
    """

    starts: Floats
    stops: Floats
    begun: Floats
    ended: Floats
    clock: Clock

    @staticmethod
    def of(w: Wedges) -> Line:
        """The line of wedges sorted by start."""
        base, by_stop = w.held - w.first, np.argsort(w.stop, kind="stable")
        return Line.sums(w.start, w.stop[by_stop], base, base[by_stop], w.clock)

    @staticmethod
    def sums(starts: Floats, stops: Floats, by_start: Floats, by_stop: Floats, clock: Clock) -> Line:
        """The line from ascending starts and stops, each with ``held - first`` in its own order."""
        begun, ended = (np.concatenate([[0.0], np.cumsum(v)]) for v in (by_start, by_stop))
        return Line(starts, stops, begun, ended, clock)

    def at(self, times: Floats) -> Floats:
        """Tokens held at each time, shape as ``times``: the wedges with start < t <= stop."""
        begun, ended = np.searchsorted(self.starts, times, "left"), np.searchsorted(self.stops, times, "left")
        return self.begun[begun] - self.ended[ended] + (begun - ended) * self.clock.step(times)

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
    base, by_stop = w.held - w.first, np.argsort(w.stop, kind="stable")
    ended, base_ended, stop = of[by_stop], base[by_stop], w.stop[by_stop]
    parts: list[Floats] = []
    for c in range(count):
        begun, gone = of == c, ended == c
        line = Line.sums(w.start[begun], stop[gone], base[begun], base_ended[gone], w.clock)
        parts.append(np.maximum(line.at(moments), 0.0))
    return np.stack(parts)


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
