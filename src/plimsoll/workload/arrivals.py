"""Arrival processes. The first request comes at time 0, and a longer draw begins like a shorter one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import InputError
from ..trace import Floats, mean_rate


class Arrivals(Protocol):
    """An arrival process."""

    def times(self, requests: int, rate: float, rng: np.random.Generator) -> Floats:
        """Arrival times in seconds, shape (requests,), sorted, at ``rate`` per second in the long run."""
        ...


@dataclass(frozen=True)
class AtOnce:
    """All requests at time 0."""

    def times(self, requests: int, rate: float, rng: np.random.Generator) -> Floats:
        return np.zeros(requests)


@dataclass(frozen=True)
class Poisson:
    """Independent exponential gaps."""

    def times(self, requests: int, rate: float, rng: np.random.Generator) -> Floats:
        return _from_gaps(rng.standard_exponential(requests) / rate)


@dataclass(frozen=True)
class Gamma:
    """Independent Gamma gaps with a coefficient of variation: 1 is Poisson, above 1 bursty, below 1 even."""

    cv: float

    def __post_init__(self) -> None:
        if not 0 < self.cv <= 100:
            raise InputError(f"gamma: cv must lie in (0, 100], not {self.cv}")

    def times(self, requests: int, rate: float, rng: np.random.Generator) -> Floats:
        scale = self.cv**2
        return _from_gaps(rng.standard_gamma(1 / scale, requests) * (scale / rate))


@dataclass(frozen=True)
class OnOff:
    """Bursts: Poisson while on, nothing while off; both times are exponential with these means, seconds."""

    on_s: float
    off_s: float

    def __post_init__(self) -> None:
        if not (0 < self.on_s < np.inf and 0 <= self.off_s < np.inf):
            raise InputError(f"on-off: on_s > 0 and off_s ≥ 0 are needed, not {self.on_s} and {self.off_s}")

    def times(self, requests: int, rate: float, rng: np.random.Generator) -> Floats:
        gaps, on, off = rng.spawn(3)
        share = self.on_s / (self.on_s + self.off_s)
        busy = _from_gaps(gaps.standard_exponential(requests) * (share / rate))
        ends = np.zeros(1)
        while ends[-1] <= busy[-1]:
            more = on.standard_exponential(1024) * self.on_s
            ends = np.concatenate([ends, ends[-1] + np.cumsum(more)])
        idle = np.concatenate([[0.0], np.cumsum(off.standard_exponential(len(ends)) * self.off_s)])
        return busy + idle[np.searchsorted(ends[1:], busy, side="right")]


@dataclass(frozen=True)
class Periodic:
    """``batch`` requests together, at even distances in time."""

    batch: int = 1

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise InputError(f"periodic: batch must be at least 1, not {self.batch}")

    def times(self, requests: int, rate: float, rng: np.random.Generator) -> Floats:
        return np.floor(np.arange(requests) / self.batch) * np.float64(self.batch / rate)


@dataclass(frozen=True, eq=False)
class Replay:
    """The arrival times of a trace, stretched to the rate asked for.

    Attributes
    ----------
    recorded : shape (n,), seconds, sorted, not all equal.
    """

    recorded: Floats

    def __post_init__(self) -> None:
        if mean_rate(self.recorded) is None:
            raise InputError("replay: the recorded requests all arrive at once")

    @property
    def rate(self) -> float:
        """Recorded arrivals per second."""
        return mean_rate(self.recorded) or 0.0

    def times(self, requests: int, rate: float, rng: np.random.Generator) -> Floats:
        if requests > len(self.recorded):
            raise InputError(f"replay: {requests} requests wanted, {len(self.recorded)} recorded")
        return (self.recorded[:requests] - self.recorded[0]) * (self.rate / rate)


def _from_gaps(gaps: Floats) -> Floats:
    return np.cumsum(gaps) - gaps[0]
