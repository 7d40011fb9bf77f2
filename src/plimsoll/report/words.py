"""What a comparison says, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..experiment.run import Run

_MARGIN = 1.02  # differences under 2 % are called none


def number(value: float) -> str:
    """A figure as a person reads it: three digits, thousands apart."""
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def baseline(runs: Sequence[Run]) -> Run:
    """What a server does today: FCFS where it was run, else the worst of those that finished."""
    done = [r for r in runs if r.result.status == "ok"] or list(runs)
    return next((r for r in done if r.policy == "fcfs"), done[-1])


def summary(runs: Sequence[Run]) -> list[str]:
    """The headline and what stands under it; ``runs`` are ranked, best first.

    Says what the best policy would bring, how far that is from the certified limit, and, where memory does not bind,
    that nothing can help.
    """
    best, today = runs[0], baseline(runs)
    unit = best.result.unit
    if best.result.status != "ok":
        return ["No policy finished this trace.", *_unstable(runs)]
    mean, was = _mean(best), _mean(today)
    gain, left = was / mean if mean > 0 else 1.0, today.ratio
    lines: list[str] = []
    if gain <= _MARGIN:
        lines.append(f"No policy tried beats {_name(today, runs)}: mean latency {number(was)} {unit}.")
        lines += _why_not(today, left)
    else:
        lines.append(
            f"{_name(best, runs)} brings the mean latency from {number(was)} {unit} under {_name(today, runs)} down to "
            f"{number(mean)} {unit}: {number(gain)} times less."
        )
        lines += _caveats(best, today, runs)
    lines += _limit(best)
    return lines + _unstable(runs)


def _why_not(today: Run, left: float | None) -> list[str]:
    if left is not None and left <= _MARGIN:
        return [
            f"Nothing can help: its total latency is already within {100 * (left - 1):.1f} % of a bound that no "
            "schedule whatever can beat. Memory does not bind on this trace."
        ]
    if today.load is not None and today.load < 0.85 and today.result.peak_tokens < today.result.capacity:
        peak = 100 * today.result.peak_tokens / today.result.capacity
        return [
            f"Memory does not bind: the cache is never more than {peak:.0f} % full, nobody waits for it, and so the "
            "order in which requests start cannot matter."
        ]
    return ["The order of requests matters little here."]


def _caveats(best: Run, today: Run, runs: Sequence[Run]) -> list[str]:
    """Who pays for the gain, if anybody does."""
    tail, was = (float(np.nanpercentile(r.result.latency, 99)) for r in (best, today))
    unit = best.result.unit
    if tail > was * _MARGIN:
        return [
            f"Its slowest requests pay: p99 latency is {number(tail)} {unit}, against {number(was)} {unit} under "
            f"{_name(today, runs)}."
        ]
    return [f"Its p99 latency is {number(tail)} {unit}, against {number(was)} {unit}."]


def _limit(best: Run) -> list[str]:
    if best.ratio is None or best.lower_bound_total is None:
        told = f"No certified limit is known for the {best.host} host: the bounds speak of the rounds host."
        return [] if best.result.unit == "rounds" else [told]
    mean = best.lower_bound_total / len(best.result)
    more = 100 * (1 - 1 / best.ratio)
    text = f"Certified limit: no schedule whatever has a mean latency below {number(mean)} {best.result.unit}"
    if more < 2:
        return [f"{text}."]
    return [f"{text}, so at most {more:.0f} % more is to be had beyond {best.policy}."]


def _unstable(runs: Sequence[Run]) -> list[str]:
    return [
        f"{_name(r, runs)} did not finish: {r.result.reason} ({r.result.completed:,} of {len(r.result):,} completed)."
        for r in runs
        if r.result.status != "ok"
    ]


def _mean(run: Run) -> float:
    return float(np.nanmean(run.result.latency))


def _name(run: Run, runs: Sequence[Run]) -> str:
    several = len({r.predictor for r in runs}) > 1
    return f"{run.policy} ({run.predictor})" if several else run.policy
