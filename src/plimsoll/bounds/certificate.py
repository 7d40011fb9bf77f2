"""Theorems as checks of one run: what a policy promises, evaluated on what it did.

No optimum is needed. Each check compares the completions of a run with a right-hand side that follows from
the lengths alone, and holds for every run of a faithful implementation. All requests arrive at round 0;
``finish`` is in rounds, ``prompt``, ``output`` and ``capacity`` in tokens, and every column has shape (n,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..policies.geometric import slices
from ..policies.regime import response_phases
from ..policy.pipeline import pipeline_width
from ..trace import Floats, Ints
from .area import volume


class Certificate(NamedTuple):
    """One inequality and how it came out. ``slack`` is the least (right side − left side)."""

    holds: bool
    slack: float
    statement: str


def _area(prompt: Ints, output: Ints, capacity: int) -> float:
    """L1: total latency is at least (1/M)·Σ_r (n − r + 1)·volume_(r), volumes ascending; not rounded up."""
    return float(np.cumsum(np.sort(volume(prompt, output))).sum()) / capacity


def _at_most(left: npt.ArrayLike, right: npt.ArrayLike, statement: str) -> Certificate:
    gap = np.atleast_1d(np.asarray(right, dtype=np.float64) - np.asarray(left, dtype=np.float64))
    scale = np.maximum(1.0, np.abs(np.atleast_1d(right)))
    slack = float(gap.min()) if gap.size else np.inf
    return Certificate(bool(np.all(gap >= -1e-9 * scale)), slack, statement)


def smallest_volume_first(prompt: Ints, output: Ints, finish: Floats, capacity: int) -> list[Certificate]:
    """SVF with exact lengths and a strict head of line (also MC-SF when all prompts are equal).

    Raises
    ------
    InputError
        If a request alone fills the capacity: the theorem then promises nothing.

    References
    ----------
    arXiv:2606.22327, Lemma E.2 and Theorem 3.2.
    """
    volumes = volume(prompt, output)
    share = float((prompt + output).max(initial=0)) / capacity
    if share >= 1:
        raise InputError("svf promises nothing here: a request's prompt + output equals the capacity")
    ahead = 2 / ((1 - share) * capacity) * _ahead(volumes)
    factor = 1 + 2 / (1 - share)
    bound = max(_area(prompt, output, capacity), float(output.sum()))
    return [
        _at_most(finish - output, ahead, "every wait ≤ 2/((1−α)M) · volume ahead of it"),
        _at_most(finish.sum(), output.sum() + ahead.sum(), "total ≤ Σ output + 2/((1−α)M) · Σ volume ahead"),
        _at_most(finish.sum(), factor * bound, f"total ≤ {factor:.4g} · lower bound"),
    ]


def _evenness(prompt: int, lengths: Sequence[int], capacity: int) -> float:
    """c: the worst 1 + 2/k over the slices that ran."""
    return max(1 + 2 / pipeline_width(prompt, length, capacity) for length in lengths)


def geometric_slicing(
    prompt: Ints, output: Ints, finish: Floats, capacity: int, growth: float, first: int
) -> list[Certificate]:
    """GSA, GSA-D and GSA-Spec: total ≤ 2cα³/(α−1) · L1 + α²/(α−1) · L2.

    With a first slice above 1 the right side is that of lengths max(output, first).

    References
    ----------
    The constants of arXiv:2601.22996, re-derived; L1 and L2 are Lemmas 1 and 3 of arXiv:2607.09248.
    """
    if not len(output):
        return []
    equal, longest = int(prompt[0]), int(output.max())
    ran = slices(equal, capacity, growth, first)
    ran = ran[: next(p for p, length in enumerate(ran) if length >= longest) + 1]
    c, padded = _evenness(equal, ran, capacity), np.maximum(output, min(first, capacity - equal))
    right = 2 * c * growth**3 / (growth - 1) * _area(prompt, padded, capacity)
    right += growth**2 / (growth - 1) * float(padded.sum())
    return [_at_most(finish.sum(), right, f"total ≤ 2cα³/(α−1)·L1 + α²/(α−1)·L2, c = {c:.4g}, α = {growth:.4g}")]


def geometric_batching(
    prompt: Ints, output: Ints, finish: Floats, capacity: int, growth: float, first: int
) -> list[Certificate]:
    """GBA and GBA-D: total ≤ cα² · L1 + α²/(α−1) · L2.

    References
    ----------
    The constants of arXiv:2601.22996, re-derived.
    """
    if not len(output):
        return []
    equal = int(prompt[0])
    bounds = np.array(slices(equal, capacity, growth, first))
    group = np.searchsorted(bounds, output)
    c = _evenness(equal, [int(output[group == g].max()) for g in np.unique(group)], capacity)
    padded = np.maximum(output, min(first, capacity - equal))
    right = c * growth**2 * _area(prompt, padded, capacity) + growth**2 / (growth - 1) * float(padded.sum())
    return [_at_most(finish.sum(), right, f"total ≤ cα²·L1 + α²/(α−1)·L2, c = {c:.4g}, α = {growth:.4g}")]


def _rect_bound(width: npt.NDArray[Any], length: npt.NDArray[Any], utilisation: float) -> Floats:
    """4p_i + (4/U)·Σ_j min(w_i p_i, w_j p_j), for each i."""
    budget = np.asarray(width * length, dtype=np.float64)
    order = np.argsort(budget, kind="mergesort")
    ascending = budget[order]
    shared = np.empty(len(budget))
    shared[order] = np.cumsum(ascending) + ascending * np.arange(len(budget) - 1, -1, -1)
    return 4 * length + 4 / utilisation * shared


def _utilisation(width: npt.NDArray[Any], capacity: int) -> float:
    return float(max(np.min(width), capacity - np.max(width)))


def rect(width: Floats, length: Floats, finish: Floats, capacity: int) -> list[Certificate]:
    """Rect on fixed widths (tokens) and unknown lengths (rounds).

    References
    ----------
    arXiv:2607.09248, the per-job bound of Rect and its competitive ratio, with both lower bounds evaluated.
    """
    if not len(length):
        return []
    utilisation = _utilisation(width, capacity)
    each = _rect_bound(width, length, utilisation)
    factor = 4 + 8 * capacity / utilisation
    pairs = float(((each - 4 * length) * utilisation / 4).sum())
    lower = max(float(length.sum()), pairs / (2 * capacity))
    return [
        _at_most(finish, each, "every latency ≤ 4p + (4/U) · Σ min(w p, w' p')"),
        _at_most(finish.sum(), factor * lower, f"total ≤ {factor:.4g} · lower bound of the rectangles"),
    ]


def one_regime(prompt: Ints, output: Ints, finish: Floats, capacity: int) -> list[Certificate]:
    """Rect with its published widths on large prompts alone, or on small prompt-heavy requests alone.

    References
    ----------
    arXiv:2607.09248: 4 + 8M/Λ and 4 + 16M/(M − 2Λ), both 36 at Λ = M/4.
    """
    lower = max(_area(prompt, output, capacity), float(output.sum()))
    return [_at_most(finish.sum(), 36 * lower, "total ≤ 36 · lower bound")]


def _response_bound(prompt: Ints, output: Ints, capacity: int, growth: float) -> Floats:
    """The latest end of each request's own phase: Σ over phases of τ + (τ/k)·(requests in it)."""
    elapsed, done, ends = 0.0, np.zeros(len(output), dtype=bool), np.zeros(len(output))
    for cap, _, par in response_phases(capacity, growth):
        inside = ~done & (prompt <= cap)
        if inside.any():
            elapsed += cap + cap / par * int(inside.sum())
        last = inside & (output <= cap)
        ends[last] = elapsed
        done |= last
    return ends


def response(prompt: Ints, output: Ints, finish: Floats, capacity: int, growth: float) -> list[Certificate]:
    """Response on requests whose output exceeds their prompt.

    References
    ----------
    arXiv:2607.09248, Fact 1, Lemma 13 and Theorem 3 (236/3 at growth 2).
    """
    if not len(output):
        return []
    found = [
        _at_most(
            finish,
            _response_bound(prompt, output, capacity, growth),
            "every latency ≤ Σ over its phases of τ + (τ/k) · requests in it",
        )
    ]
    if growth == 2:
        lower = max(_area(prompt, output, capacity), float(output.sum()))
        phases = response_phases(capacity, growth)
        tau, par = np.array([p[0] for p in phases]), np.array([p[2] for p in phases])
        found.append(_at_most(tau / par, 3.5 * tau**2 / capacity, "every phase: τ/k ≤ 3.5·τ²/M"))
        found.append(_at_most(finish.sum(), 236 / 3 * lower, "total ≤ 236/3 · lower bound"))
    return found


def route(prompt: Ints, output: Ints, finish: Floats, capacity: int) -> list[Certificate]:
    """Route with the published cutoff M/4 and growth 2.

    Each request's completion in its own branch is replaced by that branch's bound, so nothing is simulated.

    References
    ----------
    arXiv:2607.09248, Corollary 1 and Theorem 1: prompt-heavy ≤ 7·C^P, large ≤ 11·C^L,
    response-heavy ≤ max(8·C^P + C^R, 9·C^R); total ≤ 996 · optimum.
    """
    if not len(output):
        return []
    alone, small = np.zeros(len(output)), 4 * prompt <= capacity
    timed, heavy = small & (prompt > 0), small & (output > prompt)
    alone_rect = np.zeros(len(output))
    for which, width, length in (
        (timed, 2.0 * prompt, np.minimum(output, prompt)),
        (~small, np.full(len(output), float(capacity)), output),
    ):
        if which.any():
            chosen = width[which]
            alone_rect[which] = _rect_bound(chosen, length[which], _utilisation(chosen, capacity))
    alone[heavy] = _response_bound(prompt[heavy], output[heavy], capacity, 2.0)
    each = np.where(small, 7 * alone_rect, 11 * alone_rect)
    each[heavy] = np.maximum(8 * alone_rect + alone, 9 * alone)[heavy]
    lower = max(_area(prompt, output, capacity), float(output.sum()))
    return [
        _at_most(finish, each, "every latency ≤ its branch's bound, times 7, 9 or 11"),
        _at_most(finish.sum(), 996 * lower, "total ≤ 996 · lower bound"),
    ]


def no_eviction(evictions: int, peak: float, memory: float) -> list[Certificate]:
    """WAIT: nothing is evicted, and memory (tokens) never exceeds that of the thresholds.

    References
    ----------
    arXiv:2504.11320, memory constraint of WAIT.
    """
    return [
        _at_most(evictions, 0, "no eviction"),
        _at_most(peak, memory, "peak memory ≤ M^π of the thresholds"),
    ]


def no_overflow(evictions: int, fail_prob: float) -> list[Certificate]:
    """Nested WAIT at the published memory: nothing is evicted, in all but a share ``fail_prob`` of runs.

    References
    ----------
    arXiv:2504.11320, memory requirement of Nested WAIT.
    """
    return [_at_most(evictions, 0, f"no eviction, with probability {1 - fail_prob:g} or more")]


def rect_mix(width: Floats, length: Floats, finish: Floats, capacity: int, split: float) -> list[Certificate]:
    """RectMix: each request against Rect's bound in its own branch, times 5 (narrow) or 7 (wide).

    References
    ----------
    arXiv:2607.09248, Corollary 1 and Theorem 7.
    """
    wide, each = width > split * capacity, np.zeros(len(width))
    for which, factor in ((~wide, 5), (wide, 7)):
        if which.any():
            chosen = width[which]
            each[which] = factor * _rect_bound(chosen, length[which], _utilisation(chosen, capacity))
    return [_at_most(finish, each, "every latency ≤ Rect's bound in its branch, times 5 or 7")]


def clairvoyant_mix(prompt: Ints, output: Ints, finish: Floats, capacity: int) -> list[Certificate]:
    """Clairvoyant-Mix: 5 × the bound of SVF on requests up to M/2, 7 × the sum of shorter outputs on the rest.

    References
    ----------
    arXiv:2607.09248, Corollary 1 and appendix A; arXiv:2606.22327, Lemma E.2 for the small branch.
    """
    large, each = 2 * (prompt + output) > capacity, np.zeros(len(output))
    small = ~large
    if small.any():
        share = float((prompt + output)[small].max()) / capacity
        ahead = _ahead(volume(prompt, output)[small])
        each[small] = 5 * (output[small] + 2 / ((1 - share) * capacity) * ahead)
    if large.any():
        each[large] = 7 * (_ahead(output[large]) + output[large])
    lower = max(_area(prompt, output, capacity), float(output.sum()))
    return [
        _at_most(finish, each, "every latency ≤ its branch's bound, times 5 or 7"),
        _at_most(finish.sum(), 28 * lower, "total ≤ 28 · lower bound"),
    ]


def pack_and_schedule(prompt: Ints, output: Ints, finish: Floats, capacity: int) -> list[Certificate]:
    """PackAndSchedule: by 16·t it has finished as many requests as any schedule can by t, for every t.

    No schedule has finished k requests by t unless the k smallest volumes of the requests with output ≤ t add up
    to at most M·t.
    """
    by_volume = np.argsort(volume(prompt, output), kind="mergesort")
    small, length, ends = volume(prompt, output)[by_volume], output[by_volume], np.sort(finish)
    instants = np.unique(np.ceil(ends / 16 - 1e-9).astype(np.int64) - 1)
    possible = [int((np.cumsum(small[length <= t]) <= capacity * t).sum()) for t in instants]
    done = np.searchsorted(ends, 16 * instants, side="right")
    return [_at_most(possible, done, "by 16·t at least as many finished as any schedule can finish by t")]


def _ahead(key: npt.NDArray[Any]) -> Floats:
    """For each request the sum of the keys that come before its own, ties by index."""
    order = np.argsort(key, kind="mergesort")
    before = np.empty(len(key))
    before[order] = np.cumsum(key[order]) - key[order]
    return before
