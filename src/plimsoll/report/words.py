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
    if best.result.status != "ok":
        return ["No policy finished this trace.", *_unstable(runs)]
    if _times(today, best) <= _MARGIN:
        return [*_nothing(today, runs), *_limit(best), *_basis(best), *_unstable(runs)]
    headline = (
        f"{_name(best, runs)} brings the mean latency from {_latency(today)} under {_name(today, runs)} down to "
        f"{_latency(best)}: {number(_times(today, best))} times less."
    )
    lines = [headline, *_caveats(best, today, runs), *_knowing(best, today, runs), *_limit(best)]
    return [*lines, *_basis(best), *_unstable(runs)]


def _basis(best: Run) -> list[str]:
    """What the seconds stand on, where they are seconds."""
    return [] if best.machine.basis is None else [f"Step times: {best.machine.basis}."]


def _nothing(today: Run, runs: Sequence[Run]) -> list[str]:
    """No gain: because there is none to be had, where that is known."""
    best = f"No policy tried beats {_name(today, runs)}: mean latency {_latency(today)}"
    headline = "Nothing can help here: memory does not bind."
    if today.ratio is not None and today.ratio <= _MARGIN:
        over = 100 * (today.ratio - 1)
        near = f"within {over:.1f} % of the least" if over >= 0.05 else "the least"
        return [headline, f"{best}, {near} that any schedule whatever could reach."]
    if today.load is not None and today.load < 0.85 and today.result.peak_tokens < today.result.capacity:
        peak = 100 * today.result.peak_tokens / today.result.capacity
        why = f"The cache is never more than {peak:.0f} % full: nobody waits for it, and the order cannot matter."
        return [headline, f"{best}. {why}"]
    return [f"{best}.", "The order of requests matters little here."]


def _knowing(best: Run, today: Run, runs: Sequence[Run]) -> list[str]:
    """What is left of a gain that rests on lengths which no server knows."""
    if best.predictor != "exact":
        return []
    told = f"{best.policy} is told every output length here (exact)"
    without = next((r for r in runs if r.predictor != "exact" and r.result.status == "ok"), None)
    if without is None:
        return [f"{told}; --predictor tells what it brings with predictions."]
    if _times(today, without) <= _MARGIN:
        return [f"{told}; without that, nothing tried here beats {_name(today, runs)}."]
    gain = f"{number(_times(today, without))} times less than {_name(today, runs)}"
    return [f"{told}; without that, {without.policy} ({without.predictor}) brings {_latency(without)}: {gain}."]


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
        told = f"No certified limit is known for this trace on the {best.host} host."
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


def _latency(run: Run) -> str:
    """The mean latency with its unit."""
    return f"{number(float(np.nanmean(run.result.latency)))} {run.result.unit}"


def _times(today: Run, run: Run) -> float:
    """How many times less the mean latency is than today's."""
    was, now = (float(np.nanmean(r.result.latency)) for r in (today, run))
    return was / now if now > 0 else 1.0


def _name(run: Run, runs: Sequence[Run]) -> str:
    """The policy, with its predictor where it runs with several."""
    several = len({r.predictor for r in runs if r.policy == run.policy}) > 1
    return f"{run.policy} ({run.predictor})" if several else run.policy
