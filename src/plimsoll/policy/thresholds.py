"""Thresholds for WAIT and Nested WAIT, and the memory that they need.

References
----------
Ao, Luo, Simchi-Levi, Wang (2025), arXiv:2504.11320: conditions and memory; the solvers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InputError, feasible
from ..trace import Floats
from .fluid import LinearStep, Types, crossing, fluid, residency

_SLACK = 1.01  # growth of the slack k between two attempts of the solver


@dataclass(frozen=True)
class Thresholds:
    """What WAIT waits for.

    Attributes
    ----------
    count : shape (m,), requests that enter in one batch of each type (Nested WAIT: of each segment).
    memory : M^π, tokens: the most that these thresholds ever hold.
    step_s : ΔT, seconds of a full batch.
    slack : the smallest n_j / (λ_j·ΔT); above 1, backlogs stay bounded.
    """

    count: Floats
    memory: float
    step_s: float
    slack: float


def check_wait(types: Types, step: LinearStep, count: npt.ArrayLike) -> Thresholds:
    """M^π, ΔT and slack of given thresholds; shape (m,), one per type."""
    n = np.asarray(count, dtype=np.float64)
    memory = float(n @ residency(types.prompt, types.output))
    step_s = step.fixed_s + step.per_token_s * memory
    return Thresholds(n, memory, step_s, float(np.min(n / (types.rate * step_s))))


def wait_thresholds(types: Types, step: LinearStep, capacity: float, *, whole: bool = True) -> Thresholds:
    """The smallest thresholds that keep up with the arrivals and fit the memory.

    Parameters
    ----------
    types : rates and lengths.
    step : the time of an iteration.
    capacity : KV cache size C, tokens.
    whole : integer thresholds, as published; False keeps fractions (WAIT then lets one request enter every
        1/n batches).

    Raises
    ------
    InputError
        If no thresholds satisfy ΔT ≤ n_j/λ_j and M* ≤ M^π ≤ C; the message says what would.

    References
    ----------
    arXiv:2504.11320, conditions of Theorem 1. The search over a common slack k is ours.
    """
    base = fluid(types, step, capacity)
    if not base.stable:
        where = f"M* = {base.memory:,.0f} tokens" if np.isfinite(base.memory) else "it exhausts the compute alone"
        raise InputError(
            f"no thresholds are feasible: the load is outside the stability region ({where}, "
            f"capacity {capacity:,.0f}); "
            f"feasible from {feasible(base.crossing)} of these rates down"
        )
    held = types.rate @ residency(types.prompt, types.output)
    edge = crossing(step, float(held), capacity)
    slack = 1.0
    found = None
    while slack * step.per_token_s * held < 1 and slack <= edge * (1 + 1e-12):
        count = slack * types.rate * step.fixed_s / (1 - slack * step.per_token_s * held)
        found = check_wait(types, step, np.maximum(1, np.ceil(count - 1e-9)) if whole else count)
        if found.memory > capacity * (1 + 1e-12):
            break
        if found.slack >= 1 - 1e-12:
            return found
        slack *= _SLACK
    if found is None:
        raise InputError(
            "no thresholds are feasible: with every request as long as its type's longest, the load is "
            f"outside the stability region; feasible from {feasible(edge)} of these rates down, or with more types"
        )
    advice = "fractional thresholds, fewer types" if whole else "fewer types"
    raise InputError(
        f"no thresholds are feasible: the smallest need {found.memory:,.0f} tokens of a capacity of "
        f"{capacity:,.0f}; feasible with {advice} or more memory"
    )


def tail_rate(count: float, previous: float, survive: float) -> float:
    """θ_k: how fast the tail of a boundary queue falls, the positive root of
    e^(−θ·count)·(1 − survive + survive·e^θ)^previous = 1.

    Parameters
    ----------
    count, previous : n_k and n_{k−1}.
    survive : p_k, probability that a request of segment k−1 enters segment k.

    Returns
    -------
    θ_k, per request; infinite where the queue is bounded for certain (count ≥ previous).

    Raises
    ------
    InputError
        If survive < count/previous does not hold: the queue then grows without limit.
    """
    if not 0 < survive <= 1:
        raise InputError(f"a survival probability must lie in (0, 1], not {survive}")
    if count >= previous:
        return np.inf
    if count <= survive * previous:
        raise InputError(
            f"threshold {count:g} after {previous:g} is too small: it must exceed {survive * previous:g} "
            f"(a share of {survive:g} survives)"
        )

    def excess(x: float) -> float:
        return -x * count + previous * (np.log1p(-survive + survive * np.exp(x)))

    low = 8 * (count - previous * survive) / previous
    high = 2 * low
    while excess(high) <= 0:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) <= 0 else (low, middle)
    return low


@dataclass(frozen=True)
class Segments:
    """Output lengths cut into m segments; nobody knows a request's segment before it gets there.

    Attributes
    ----------
    bounds : shape (m,), the last stage of each segment, l'_1 < … < l'_m, tokens.
    prompt : shape (m,), the longest prompt that can enter each segment, tokens.
    survive : shape (m,), p_k: the share of segment k−1's requests that enter segment k; survive[0] = 1.
    """

    bounds: Floats
    prompt: Floats
    survive: Floats

    @staticmethod
    def of(types: Types, cuts: npt.ArrayLike | None = None) -> Segments:
        """Segments of these types: one per distinct output, or coarser at ``cuts`` (last stages; the longest
        output is added). A segment that nobody enters is merged into the one before."""
        longest = types.output.max()
        ends = np.unique(types.output if cuts is None else np.append(np.asarray(cuts, dtype=np.float64), longest))
        ends = ends[(ends >= 1) & (ends <= longest)]
        begins = np.append(0.0, ends[:-1])
        entering = np.array([types.rate[types.output > b].sum() for b in begins])
        prompt = np.array([types.prompt[types.output > b].max() for b in begins])
        return Segments(ends, prompt, np.append(1.0, entering[1:] / entering[:-1]))

    @property
    def stages(self) -> Floats:
        """δ_k: stages that a segment's batch covers; the first includes the prefill."""
        return np.diff(self.bounds, prepend=-1.0)

    @property
    def held(self) -> Floats:
        """Token-iterations of one request in each segment: (l + s̄_k)·δ_k."""
        begins = np.append(0.0, self.bounds[:-1] + 1)
        return (self.prompt + (begins + self.bounds) / 2) * self.stages


@dataclass(frozen=True)
class NestedMemory:
    """Memory (tokens) of Nested WAIT: M^π, the logarithm of the bound, and what keeps overflow below δ."""

    base: float
    log_term: float
    required: float
    tail_rate: Floats


def nested_memory(
    segments: Segments, count: npt.ArrayLike, horizon: float, fail_prob: float, classes: int
) -> NestedMemory:
    """The capacity at which Nested WAIT overflows with probability at most ``fail_prob``.

    Parameters
    ----------
    segments : m of them.
    count : shape (m,), thresholds n_k.
    horizon : ζT/d_0, the number of shortest iterations in the run.
    fail_prob : δ in (0, 1).
    classes : number of output classes m in the logarithm (with coarse segments it stays the finer number).

    References
    ----------
    arXiv:2504.11320, Nested WAIT: C ≥ M^π + Σ_{k≥2} (l + l'_{k−1})·(n_k + ln(m(1 + ζT/d_0)/δ)/θ_k).
    """
    if not 0 < fail_prob < 1:
        raise InputError(f"the probability of overflow must lie in (0, 1), not {fail_prob}")
    n = np.asarray(count, dtype=np.float64)
    base = float(n @ segments.held)
    log_term = float(np.log(classes * (1 + horizon) / fail_prob))
    theta = np.array([tail_rate(n[k], n[k - 1], float(segments.survive[k])) for k in range(1, len(n))])
    at_boundary = segments.prompt[1:] + segments.bounds[:-1]
    return NestedMemory(base, log_term, base + float(at_boundary @ (n[1:] + log_term / theta)), theta)


def nested_thresholds(
    segments: Segments, rate: float, step: LinearStep, *, margin: float = 0.05, whole: bool = True
) -> Thresholds:
    """Thresholds n_k = n_1·Π(p_r + margin) with the smallest n_1 that keeps up with ``rate`` requests/s.

    Raises
    ------
    InputError
        If no n_1 does, because the step time per token is too large for the load, or if nobody finishes in a segment.

    References
    ----------
    arXiv:2504.11320: ΔT < n_1/Λ and p_k < n_k/n_{k−1} < 1; the solver is ours.
    """
    if not 0 < margin < 1:
        raise InputError(f"the margin must lie in (0, 1), not {margin}")
    survive = segments.survive[1:]
    if np.any(survive >= 1):
        k = 1 + int(np.argmax(survive >= 1))
        raise InputError(f"nobody finishes in segment {k}, so no thresholds fall there: cut it at another length")
    share = np.cumprod(np.append(1.0, np.minimum(survive + margin, np.maximum(0.99, (1 + survive) / 2))))
    work = float(share @ segments.held)
    left = 1 - step.per_token_s * rate * work
    if left <= 0:
        most = 1 / (step.per_token_s * work)
        raise InputError(f"no thresholds keep up with {rate:g} requests/s; feasible below {feasible(most)}")
    first = step.fixed_s * rate / left
    while True:
        first *= _SLACK
        count: Floats = np.asarray(first * share, dtype=np.float64)
        if whole:
            count = np.maximum(1, np.ceil(count - 1e-9))
        memory = float(count @ segments.held)
        step_s = step.fixed_s + step.per_token_s * memory
        falls = np.all(count[1:] > survive * count[:-1])
        if count[0] > rate * step_s and falls:
            return Thresholds(count, memory, step_s, float(count[0] / (rate * step_s)))


def segment_caps(widths: npt.ArrayLike, ratio: npt.ArrayLike, total: float) -> tuple[float, Floats]:
    """Split a cap on concurrent requests over segments.

    Parameters
    ----------
    widths : shape (m,), stages of each segment.
    ratio : shape (m−1,), n_{k+1}/n_k.
    total : the most requests that run at once, over all stages.

    Returns
    -------
    n_1, and the caps of shape (m,), not rounded: widths · n_k, which add up to ``total``.

    References
    ----------
    arXiv:2504.11320, experiments.
    """
    if not (np.isfinite(total) and total > 0):
        raise InputError(f"the cap on concurrent requests must be above 0, not {total}")
    width = np.asarray(widths, dtype=np.float64)
    share = np.cumprod(np.append(1.0, np.asarray(ratio, dtype=np.float64)))
    first = float(total / (width @ share))
    return first, width * share * first
