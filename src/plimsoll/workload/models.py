"""The synthetic models of Jaillet et al. (2025), arXiv:2502.07115, experiments on small instances.

Each seed is a trial. Capacity M is drawn from 30…50, prompts from 1…5, outputs from 1…M − prompt. In Model 1,
40…60 requests are there from the start; in Model 2 they arrive by a Poisson process of 0.5…1.5 per round for
40…60 rounds. All are uniform and drawn once per trial, which the paper does not state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..trace import LONGEST, Floats, Ints, Trace

ROUNDS_PER_S = 20
"""Rounds in a second: by this the models' rounds become the seconds of a trace."""

_SOURCE = "Jaillet et al. (2025), arXiv:2502.07115"


@dataclass(frozen=True)
class Model1:
    """All requests at time 0."""

    summary: str = "40 to 60 small requests at once; each seed is a trial with its own capacity"
    source: str = f"{_SOURCE}, Model 1"

    def generate(self, requests: int | None = None, rate: float | None = None, seed: int = 0) -> Trace:
        """A trial. ``requests`` sets their number; a rate has no meaning here."""
        if rate is not None:
            raise InputError("model-1: all requests arrive at once, so there is no rate to set")
        rng, capacity = _trial(seed)
        count = _checked("model-1", requests, int(rng.integers(40, 61)))
        return Trace(np.zeros(count), *_lengths(rng, count, capacity), "model-1")

    def capacity(self, seed: int = 0) -> int:
        """The capacity M of the trial, tokens."""
        return _trial(seed)[1]


@dataclass(frozen=True)
class Model2:
    """Poisson arrivals."""

    summary: str = "small requests in Poisson arrivals over 40 to 60 rounds; each seed is a trial"
    source: str = f"{_SOURCE}, Model 2"

    def generate(self, requests: int | None = None, rate: float | None = None, seed: int = 0) -> Trace:
        """A trial; ``requests`` sets their number in place of the horizon, ``rate`` the arrivals a second."""
        rng, capacity = _trial(seed)
        horizon, drawn = int(rng.integers(40, 61)), float(rng.uniform(0.5, 1.5))
        per_round = drawn if rate is None else rate / ROUNDS_PER_S
        if not (np.isfinite(per_round) and per_round > 0):
            raise InputError(f"model-2: rate must be a positive number of requests per second, not {rate}")
        rounds = _arrivals(rng, per_round, horizon, None if requests is None else _checked("model-2", requests, 0))
        return Trace(rounds / ROUNDS_PER_S, *_lengths(rng, len(rounds), capacity), "model-2")

    def capacity(self, seed: int = 0) -> int:
        """The capacity M of the trial, tokens."""
        return _trial(seed)[1]


def _trial(seed: int) -> tuple[np.random.Generator, int]:
    if seed < 0:
        raise InputError(f"seed must not be negative, not {seed}")
    rng = np.random.default_rng(seed)
    return rng, int(rng.integers(30, 51))


def _lengths(rng: np.random.Generator, count: int, capacity: int) -> tuple[Ints, Ints]:
    prompt = rng.integers(1, 6, count)
    return prompt, rng.integers(1, capacity - prompt + 1)


def _arrivals(rng: np.random.Generator, per_round: float, horizon: int, requests: int | None) -> Floats:
    """Arrival times in rounds: over the horizon (at least one), or as many as asked for."""
    if requests is not None:
        return np.cumsum(rng.standard_exponential(requests) / per_round)
    times = np.sort(rng.uniform(0, horizon, max(1, int(rng.poisson(per_round * horizon)))))
    return times.astype(np.float64)


def _checked(name: str, requests: int | None, default: int) -> int:
    count = default if requests is None else requests
    if not 1 <= count <= LONGEST:
        raise InputError(f"{name}: requests must be in 1…{LONGEST}, not {count}")
    return count
