"""What a trace looks like, and whether memory will bind."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .trace import Ints, Trace, mean_rate
from .workload import cv_of_gaps

ROUNDS_PER_S = 20
"""Rounds in a second unless told otherwise."""


@dataclass(frozen=True)
class Spread:
    """Mean, percentiles and maximum of a length, tokens."""

    mean: float
    p50: float
    p90: float
    p99: float
    max: int

    @staticmethod
    def of(lengths: Ints) -> Spread:
        p50, p90, p99 = np.percentile(lengths, [50, 90, 99])
        return Spread(float(lengths.mean()), float(p50), float(p90), float(p99), int(lengths.max()))


@dataclass(frozen=True)
class Description:
    """A trace in numbers.

    Attributes
    ----------
    duration_s : between the first and the last arrival; None where each session has its own clock.
    rate_per_s : arrivals per second in between; None where all arrive at once.
    interarrival_cv : coefficient of variation of the gaps: 1 is Poisson.
    mean_volume : token-rounds, s·o + o(o+1)/2.
    largest : the most that one request ever holds, tokens.
    load : of the capacity, see ``load``; None without a capacity or a rate.
    oversize : requests that can never fit in the capacity.
    """

    trace: str
    requests: int
    sessions: int | None
    clients: int | None
    duration_s: float | None
    rate_per_s: float | None
    interarrival_cv: float | None
    prompt_tokens: Spread
    output_tokens: Spread
    mean_volume: float
    largest: int
    capacity_tokens: int | None
    rounds_per_s: float
    load: float | None
    oversize: int | None
    reading: str

    def to_json(self) -> dict[str, Any]:
        """The description as plain values."""
        return {"schema": 1, **asdict(self)}


def describe(trace: Trace, capacity: int | None = None, rounds_per_s: float = ROUNDS_PER_S) -> Description:
    """Describe a trace, and its load on a capacity.

    Parameters
    ----------
    capacity : KV cache size M, tokens.
    rounds_per_s : rounds of the model in a second.

    Raises
    ------
    InputError
        If capacity or rounds_per_s is not positive.
    """
    if capacity is not None and capacity < 1:
        raise InputError(f"capacity must be at least 1 token, not {capacity}")
    own_clocks = trace.session is not None
    rate = None if own_clocks else mean_rate(trace.arrival)
    at = None if capacity is None else load(trace, capacity, rounds_per_s)
    return Description(
        trace=trace.name,
        requests=len(trace),
        sessions=_distinct(trace.session),
        clients=_distinct(trace.client),
        duration_s=None if own_clocks else float(trace.arrival[-1] - trace.arrival[0]),
        rate_per_s=rate,
        interarrival_cv=None if rate is None else cv_of_gaps(trace.arrival),
        prompt_tokens=Spread.of(trace.prompt),
        output_tokens=Spread.of(trace.output),
        mean_volume=float(trace.volume.mean()),
        largest=int(trace.peak.max()),
        capacity_tokens=capacity,
        rounds_per_s=rounds_per_s,
        load=at,
        oversize=None if capacity is None else int(np.count_nonzero(trace.peak > capacity)),
        reading=_arrival_reading(trace, rate) or reading(at),
    )


def load(trace: Trace, capacity: int, rounds_per_s: float = ROUNDS_PER_S) -> float | None:
    """Arriving volume over capacity: arrivals per round × mean volume / M. Above 1 the queue grows.

    Returns
    -------
    None where the trace has no rate: all arrive at once, or each session has its own clock.

    Examples
    --------
    Two arrivals a second, 20 rounds a second, volume 30 each on 3 tokens of memory:

    >>> load(Trace.of([(0, 5, 4), (0.5, 5, 4), (1, 5, 4)]), capacity=3)
    1.0
    """
    if not (rounds_per_s > 0 and np.isfinite(rounds_per_s)):
        raise InputError(f"rounds per second must be positive, not {rounds_per_s}")
    rate = None if trace.session is not None else mean_rate(trace.arrival)
    return None if rate is None else rate / rounds_per_s * float(trace.volume.mean()) / capacity


def reading(at: float | None) -> str:
    """What a load means, in one line; empty where memory binds without overflowing, or no load is known."""
    if at is None:
        return ""
    if at > 1:
        return f"load {at:.2f} is above 1: the queue grows without end"
    if at < 0.85:
        return f"load {at:.2f} is under 0.85: memory hardly binds, order will matter little"
    return ""


def _arrival_reading(trace: Trace, rate: float | None) -> str:
    if trace.session is not None:
        return "each session has its own clock, so there is no common rate"
    return "all requests arrive at once, so there is no rate" if rate is None else ""


def _distinct(codes: Ints | None) -> int | None:
    return None if codes is None else len(np.unique(codes))
