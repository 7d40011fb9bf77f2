"""The panels of a comparison; one that has nothing to show is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..experiment.attainment import Attained
from ..experiment.run import Run
from ..host.result import Floats, Result
from ..metrics import tpot, ttft
from ..trace import Trace
from .curve import Line, Wedges, peaks, redone, span, waiting, wedges
from .panel import Axis, Mark, Panel, Series
from .words import number

BINS = 600
"""Bins of a panel over time: about one for each pixel."""


@dataclass(frozen=True)
class Seen:
    """One run with what is drawn of it."""

    run: Run
    label: str
    wedges: Wedges
    line: Line

    @property
    def result(self) -> Result:
        """The run's result."""
        return self.run.result

    @property
    def told(self) -> str:
        """What came of it, in few words."""
        if self.result.status != "ok":
            return "did not finish"
        return f"mean latency {number(float(np.nanmean(self.result.latency)))} {self.result.unit}"


def see(runs: Sequence[Run]) -> list[Seen]:
    """Find each run's wedges, and label it: by its policy, and its predictor where that policy runs with several."""
    out: list[Seen] = []
    for r in runs:
        w, several = wedges(r.result), len({other.predictor for other in runs if other.policy == r.policy}) > 1
        out.append(Seen(r, f"{r.policy} · {r.predictor}" if several else r.policy, w, Line.of(w)))
    return out


def common_span(seen: Sequence[Seen]) -> tuple[float, float]:
    """The time that all runs together take."""
    spans = [span(s.result) for s in seen]
    return min(a for a, _ in spans), max(b for _, b in spans)


def all_panels(trace: Trace, seen: Sequence[Seen], attained: Sequence[Attained] = ()) -> list[Panel]:
    """Every panel that these runs give, in the order of the report."""
    from .fluid import fluid

    edges = np.linspace(*common_span(seen), BINS + 1)
    makers = (
        lambda: memory(seen, edges),
        lambda: queue(seen, edges),
        lambda: latency_cdf(seen),
        lambda: latency_tail(seen),
        lambda: latency_by_arrival(seen, edges),
        lambda: latency_by_volume(trace, seen),
        lambda: evictions(seen, edges),
        lambda: recomputed(seen, edges),
        lambda: first_token_cdf(seen),
        lambda: per_token_cdf(seen),
        lambda: attainment(seen, attained),
        lambda: to_bound(seen),
        lambda: heat_map(seen),
        lambda: fluid(trace, seen),
    )
    return [panel for make in makers if (panel := make()) is not None]


def _time(seen: Sequence[Seen], label: str = "time") -> Axis:
    return Axis(label, seen[0].result.unit, time=True)


def memory(seen: Sequence[Seen], edges: Floats) -> Panel:
    """KV tokens held over time, the peak of every bin."""
    series = [Series(s.label, edges[1:], peaks(s.line, edges)[1], at) for at, s in enumerate(seen)]
    mark = Mark("y", seen[0].result.capacity, "capacity")
    note = f"The peak of each of {len(edges) - 1} stretches of time; no peak is lost."
    return Panel("memory", "Memory over time", note, _time(seen), Axis("KV cache held", "tokens"), series, [mark])


def queue(seen: Sequence[Seen], edges: Floats) -> Panel:
    """Requests waiting over time."""
    series = [Series(s.label, edges[1:], waiting(s.result, s.wedges, edges), at) for at, s in enumerate(seen)]
    note = "The most that waited at once in each stretch of time, evicted requests included."
    return Panel("queue", "Queue length over time", note, _time(seen), Axis("waiting", "requests"), series)


def _done(values: Floats) -> Floats:
    return np.sort(values[np.isfinite(values)])


def _shares(count: int) -> Floats:
    """Where to read a distribution of ``count`` values: evenly, and ever finer towards its end; at most 500 places."""
    if count <= 500:
        return np.arange(1, count + 1) / count
    tail = 1 - np.geomspace(0.01, 1 / count, 150)
    return np.unique(np.concatenate([np.linspace(1 / count, 0.99, 350), tail, [1.0]]))


def _distribution(values: Floats) -> tuple[Floats, Floats]:
    """Values and the share of requests at or below each."""
    ordered = _done(values)
    share = _shares(len(ordered))
    at = np.clip(np.ceil(share * len(ordered) - 1e-9).astype(int) - 1, 0, None)
    return ordered[at], (at + 1) / max(1, len(ordered))


def _cdf(name: str, title: str, note: str, x: Axis, values: Sequence[Floats], seen: Sequence[Seen]) -> Panel | None:
    series = [
        Series(s.label, *_distribution(v), at)
        for at, (s, v) in enumerate(zip(seen, values, strict=True))
        if len(_done(v))
    ]
    return Panel(name, title, note, x, Axis("share of requests"), series) if series else None


def latency_cdf(seen: Sequence[Seen]) -> Panel | None:
    """The share of requests with at most a latency."""
    x = Axis("latency", seen[0].result.unit, log=True)
    note = "Further left is better: the share of requests that finish within a latency, from their arrival."
    return _cdf("latency-cdf", "Latency", note, x, [s.result.latency for s in seen], seen)


def latency_tail(seen: Sequence[Seen]) -> Panel | None:
    """The share of requests that take longer, on a logarithmic scale: the tail."""
    series: list[Series] = []
    for at, s in enumerate(seen):
        values, share = _distribution(s.result.latency)
        if len(values):
            above = 1 - share
            series.append(Series(s.label, values[above > 0], above[above > 0], at))
    x, y = Axis("latency", seen[0].result.unit, log=True), Axis("share that takes longer", log=True)
    note = "Lower is better: the share of requests that take longer than a latency; 0.01 is where p99 lies."
    return Panel("latency-tail", "Latency, the tail", note, x, y, series) if series else None


def latency_by_arrival(seen: Sequence[Seen], edges: Floats) -> Panel:
    """Mean latency of the requests that arrived in each stretch of time; about 20 requests or more in each."""
    bins = int(np.clip(len(seen[0].result) // 20, 10, 100))
    coarse = np.linspace(edges[0], max(float(np.nanmax(s.result.arrival)) for s in seen), bins + 1)
    series: list[Series] = []
    for at, s in enumerate(seen):
        x, y = _means(s.result.arrival, s.result.latency, coarse)
        series.append(Series(s.label, x, y, at))
    unit = seen[0].result.unit
    note = f"Mean latency of the requests that arrived in each of {bins} stretches of time."
    y = Axis("mean latency", unit, log=True)
    return Panel("latency-arrival", "Latency by arrival", note, _time(seen, "arrival"), y, series)


def _means(x: Floats, y: Floats, edges: Floats) -> tuple[Floats, Floats]:
    good = np.isfinite(y) & np.isfinite(x)
    place = np.clip(np.searchsorted(edges, x[good], "right") - 1, 0, len(edges) - 2)
    count = np.bincount(place, minlength=len(edges) - 1)
    total = np.bincount(place, weights=y[good], minlength=len(edges) - 1)
    some = count > 0
    return ((edges[:-1] + edges[1:]) / 2)[some], total[some] / count[some]


def latency_by_volume(trace: Trace, seen: Sequence[Seen]) -> Panel:
    """Median latency of requests of about the same volume; about 20 requests or more in each class."""
    bins = int(np.clip(len(trace) // 20, 4, 24))
    volume = trace.volume.astype(np.float64)
    cuts = np.unique(np.quantile(volume, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(cuts, volume, "right") - 1, 0, max(0, len(cuts) - 2))
    series: list[Series] = []
    for at, s in enumerate(seen):
        done = np.isfinite(s.result.latency)
        kinds = np.unique(place[done])
        x = [float(np.median(volume[done & (place == k)])) for k in kinds]
        y = [float(np.median(s.result.latency[done & (place == k)])) for k in kinds]
        series.append(Series(s.label, np.array(x), np.array(y), at))
    unit = seen[0].result.unit
    note = "Who pays: the median latency of requests of about the same volume (memory held, summed over time)."
    x, y = Axis("volume", "token-rounds", log=True), Axis("median latency", unit, log=True)
    return Panel("latency-volume", "Latency by volume", note, x, y, series)


def _running_total(times: Floats, amounts: Floats, edges: Floats) -> Floats:
    order = np.argsort(times, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(amounts[order])])
    return total[np.searchsorted(times[order], edges, "right")]


def evictions(seen: Sequence[Seen], edges: Floats) -> Panel | None:
    """Evictions so far, over time."""
    if not any(s.wedges.evicted.any() for s in seen):
        return None
    series = [
        Series(s.label, edges, _running_total(s.wedges.stop, s.wedges.evicted.astype(float), edges), at)
        for at, s in enumerate(seen)
    ]
    note = "Requests whose memory was taken back, added up."
    return Panel("evictions", "Evictions", note, _time(seen), Axis("evictions so far"), series)


def recomputed(seen: Sequence[Seen], edges: Floats) -> Panel | None:
    """Tokens computed again because of evictions so far, over time."""
    again = [redone(s.wedges, s.result).astype(float) for s in seen]
    if not any(a.any() for a in again):
        return None
    series = [
        Series(s.label, edges, _running_total(s.wedges.start, a, edges), at)
        for at, (s, a) in enumerate(zip(seen, again, strict=True))
    ]
    note = "Prompt and output tokens of evicted requests that are computed once more, added up."
    return Panel("recomputed", "Recomputed tokens", note, _time(seen), Axis("recomputed so far", "tokens"), series)


def first_token_cdf(seen: Sequence[Seen]) -> Panel | None:
    """Time to first token, where a step takes its own time."""
    if seen[0].result.unit == "rounds":
        return None
    x = Axis("time to first token", seen[0].result.unit, log=True)
    note = "Further left is better: the share of requests whose first token came within a time."
    return _cdf("ttft", "Time to first token (TTFT)", note, x, [ttft(s.result) for s in seen], seen)


def per_token_cdf(seen: Sequence[Seen]) -> Panel | None:
    """Time per output token, where a step takes its own time."""
    if seen[0].result.unit == "rounds":
        return None
    x = Axis("time per output token", seen[0].result.unit, log=True)
    note = "Further left is better: (finish − first token)/(output − 1); requests of one output token have none."
    return _cdf("tpot", "Time per output token (TPOT)", note, x, [tpot(s.result) for s in seen], seen)


def attainment(seen: Sequence[Seen], attained: Sequence[Attained]) -> Panel | None:
    """The share of requests within their limits as the arrival rate changes."""
    if not attained:
        return None
    place = {(s.run.policy, s.run.predictor): at for at, s in enumerate(seen)}
    runs = sorted((place[a.policy, a.predictor], a) for a in attained)
    series = [Series(seen[at].label, a.rates, a.share, at) for at, a in runs]
    told, own = attained[0].limits.words(seen[0].result.unit), attained[0].own
    note = f"Higher is better: the share of requests with {told}; every policy was run at each rate with a dot."
    x, mark = Axis("arrival rate", "requests/s"), Mark("x", own, f"this trace, {own:.3g}/s")
    y = Axis("share of requests within the limits")
    return Panel("attainment", "SLO attainment against load", note, x, y, series, [mark], "points")


def to_bound(seen: Sequence[Seen]) -> Panel | None:
    """Total latency over the certified lower bound."""
    known = [(at, s.label, s.run.ratio) for at, s in enumerate(seen) if s.run.ratio is not None]
    if not known:
        return None
    names = tuple(label for _, label, _ in known)
    series = [Series(label, np.array([ratio]), np.array([float(k)]), at) for k, (at, label, ratio) in enumerate(known)]
    note = "Total latency over a lower bound that holds for every schedule: none whatever lies left of 1."
    x, mark = Axis("total latency / certified bound", log=True), Mark("x", 1.0, "certified limit")
    return Panel("bound", "Distance from the best possible", note, x, Axis("", names=names), series, [mark], "dot")


def heat_map(seen: Sequence[Seen]) -> Panel | None:
    """Mean latency of every policy with every predictor."""
    policies = tuple(dict.fromkeys(s.run.policy for s in seen))
    predictors = tuple(dict.fromkeys(s.run.predictor for s in seen))
    if len(predictors) < 2:
        return None
    cells = np.full((len(policies), len(predictors)), np.nan)
    for s in seen:
        place = policies.index(s.run.policy), predictors.index(s.run.predictor)
        cells[place] = float(np.nanmean(s.result.latency)) if s.run.result.status == "ok" else np.inf
    if np.isnan(cells).any():
        return None  # policies with predictors of their own, not a cross of both
    note = "Lighter is better: what a policy loses when predictions are poor."
    x, y = Axis("predictor", names=predictors), Axis("policy", names=policies)
    title = f"Mean latency ({seen[0].result.unit}), policy × predictor"
    return Panel("predictors", title, note, x, y, kind="heat", cells=cells)
