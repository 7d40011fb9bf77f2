"""The fluid benchmark: where a server settles when requests are a fluid, and whether it settles at all.

A request of type j enters with ``prompt`` tokens and leaves after ``output`` + 1 iterations, the first of
which is its prefill; an iteration lasts ``fixed_s`` + ``per_token_s`` · (tokens in the batch).

References
----------
Ao, Luo, Simchi-Levi, Wang (2025), arXiv:2504.11320.
d_0 = fixed_s, d_1 = per_token_s, l = prompt, l' = output.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..trace import Floats, Trace


def residency(prompt: npt.ArrayLike, output: npt.ArrayLike) -> Floats:
    """Token-iterations W that a request holds over its life: volume + prompt (its prefill is charged too)."""
    held, steps = np.asarray(prompt, dtype=np.float64), np.asarray(output, dtype=np.float64)
    return (steps + 1) * (held + steps / 2)


@dataclass(frozen=True)
class LinearStep:
    """Seconds of one iteration: ``fixed_s`` + ``per_token_s`` · tokens in its batch.

    The default is the published fit for Llama-2-7B on one A100 divided by the 21 iterations that it spans:
    as printed, per iteration, it contradicts the paper's own rates.
    """

    fixed_s: float = 0.276 / 21
    per_token_s: float = 1.15e-5 / 21

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fixed_s) and self.fixed_s > 0):
            raise InputError(f"the fixed time of a step must be above 0 s, not {self.fixed_s}")
        if not (np.isfinite(self.per_token_s) and self.per_token_s >= 0):
            raise InputError(f"the time per token must be at least 0 s, not {self.per_token_s}")


@dataclass(frozen=True)
class Types:
    """m request types.

    Attributes
    ----------
    rate : shape (m,), requests per second.
    prompt, output : shape (m,), tokens; for a cluster of lengths the longest, so that memory is safe.
    work : shape (m,), mean W of the type's requests, token-iterations.
    """

    rate: Floats
    prompt: Floats
    output: Floats
    work: Floats

    @staticmethod
    def of(types: Iterable[tuple[float, float, float]]) -> Types:
        """Types from (rate, prompt, output) triples; those of rate 0 are dropped.

        Raises
        ------
        InputError
            If a rate or prompt is negative, an output below 1, or nothing arrives.
        """
        rows = np.array(list(types), dtype=np.float64).reshape(-1, 3)
        for row, (rate, prompt, output) in enumerate(rows):
            if not (np.isfinite(rate) and rate >= 0):
                raise InputError(f"type {row}: rate must be at least 0 requests/s, not {rate:g}")
            if not (np.isfinite(prompt) and prompt >= 0):
                raise InputError(f"type {row}: prompt must be at least 0 tokens, not {prompt:g}")
            if not (np.isfinite(output) and output >= 1):
                raise InputError(f"type {row}: output must be at least 1 token, not {output:g}")
        rows = rows[rows[:, 0] > 0]
        if not len(rows):
            raise InputError("no type has a rate above 0 requests/s")
        return Types(rows[:, 0], rows[:, 1], rows[:, 2], residency(rows[:, 1], rows[:, 2]))

    def at_rate(self, rate: float) -> Types:
        """The same mix at ``rate`` requests per second in all.

        Raises
        ------
        InputError
            If the rate is not above 0.
        """
        if not (np.isfinite(rate) and rate > 0):
            raise InputError(f"--rate must be above 0 requests/s, not {rate:g}")
        return Types(self.rate * (rate / self.rate.sum()), self.prompt, self.output, self.work)

    @property
    def load(self) -> float:
        """S: token-iterations that arrive per second."""
        return float(self.rate @ self.work)


@dataclass(frozen=True)
class Fluid:
    """The equilibrium of the fluid.

    Attributes
    ----------
    load : S, token-iterations arriving per second.
    step_s : ΔT*, seconds of an iteration; infinite when no equilibrium exists.
    per_stage : shape (m,), n_j*, requests of each type at each of its stages.
    memory : M*, tokens; infinite when no equilibrium exists.
    throughput : output tokens per second, the most that any online policy delivers when M* fits.
    capacity : C, tokens.
    saturation : the factor on all rates at which the compute alone is exhausted (d_1·S = 1).
    crossing : the factor on all rates at which M* = C: the edge of the stability region.
    """

    load: float
    step_s: float
    per_stage: Floats
    memory: float
    throughput: float
    capacity: float
    saturation: float
    crossing: float

    @property
    def stable(self) -> bool:
        """True inside the stability region, M* ≤ C."""
        return bool(np.isfinite(self.memory) and self.memory <= self.capacity * (1 + 1e-12))


def fluid(types: Types, step: LinearStep, capacity: float = np.inf) -> Fluid:
    """The fluid equilibrium of these types.

    Parameters
    ----------
    types : rates and lengths.
    step : the time of an iteration.
    capacity : KV cache size C, tokens.

    References
    ----------
    arXiv:2504.11320, fluid benchmark. The region in closed form: S · (d_0 + d_1·C) ≤ C.
    """
    load = types.load
    left = 1 - step.per_token_s * load
    step_s = step.fixed_s / left if left > 0 else np.inf
    saturation = 1 / (step.per_token_s * load) if step.per_token_s > 0 else np.inf
    return Fluid(
        load=load,
        step_s=step_s,
        per_stage=types.rate * step_s,
        memory=step_s * load,
        throughput=float(types.rate @ types.output),
        capacity=capacity,
        saturation=saturation,
        crossing=crossing(step, load, capacity),
    )


def crossing(step: LinearStep, load: float, capacity: float) -> float:
    """The factor on ``load`` (token-iterations/s) at which the fluid needs exactly ``capacity`` tokens."""
    if np.isinf(capacity):
        return 1 / (step.per_token_s * load) if step.per_token_s > 0 else np.inf
    return capacity / (load * (step.fixed_s + step.per_token_s * capacity))


def cluster(trace: Trace, count: int, rate: float | None = None) -> Types:
    """Types found in a trace: ``count`` clusters of (log prompt, log output), by Lloyd's iteration.

    A cluster's ``prompt`` and ``output`` are its longest, its ``work`` the mean over its requests: the load
    is the trace's own. The first centres are at even ranks of W: nothing is drawn at random.

    Parameters
    ----------
    trace : requests with arrivals in seconds.
    count : at most so many types, at least 1.
    rate : requests per second; the trace's own mean rate when None.

    Raises
    ------
    InputError
        If the trace is empty, or all of it arrives at once and no rate is given.
    """
    n = len(trace)
    if n == 0:
        raise InputError(f"{trace.name}: no requests")
    if count < 1:
        raise InputError(f"types must be at least 1, not {count}")
    span = float(trace.arrival.max() - trace.arrival.min())
    if rate is None and span <= 0:
        raise InputError(f"{trace.name}: every request arrives at once; give a rate with --rate")
    rate = n / span if rate is None else rate
    work = residency(trace.prompt, trace.output)
    label = kinds_of(trace.prompt, trace.output, count)
    kinds, size = np.unique(label, return_counts=True)
    longest = [(trace.prompt[label == k].max(), trace.output[label == k].max()) for k in kinds]
    prompt, output = np.array(longest, dtype=np.float64).T
    mean = np.array([work[label == k].mean() for k in kinds])
    order = np.argsort(mean, kind="mergesort")
    return Types((size / n * rate)[order], prompt[order], output[order], mean[order])


def kinds_of(prompt: npt.ArrayLike, output: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
    """A label for each request, shape (n,): at most ``count`` clusters of (log prompt, log output)."""
    points = np.log1p(np.column_stack([prompt, output]).astype(np.float64))
    return _lloyd(points, residency(prompt, output), min(count, len(points)))


def _lloyd(points: Floats, key: Floats, count: int, rounds: int = 50) -> npt.NDArray[np.int64]:
    ranks = (np.arange(count) * 2 + 1) * len(key) // (2 * count)
    centre = points[np.argsort(key, kind="mergesort")[ranks]]
    label = np.full(len(points), -1)
    for _ in range(rounds):
        nearest = ((points[:, None, :] - centre[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
        if np.array_equal(nearest, label):
            break
        label = nearest
        for k in np.unique(label):
            centre[k] = points[label == k].mean(axis=0)
    return label
