"""What a run leaves behind: columns per request, and figures of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True)
class Result:
    """The outcome of one run, in the order of the trace.

    Attributes
    ----------
    unit : "rounds" or "s"; all times are in it.
    arrival, start, first_token, finish : shape (n,); ``start`` is the last start; NaN where it never happened.
    prompt, output : shape (n,), tokens.
    predicted : shape (n,), output tokens as last predicted.
    evictions : shape (n,), how often each request was taken back.
    client : shape (n,) or None.
    attempts : shape (a, 4): id, start, stop (host steps) and the tokens kept before, for every attempt.
    status : "ok" or "unstable"; ``reason`` says why in words.
    capacity : M, tokens.
    peak_tokens : the largest use of any step.
    mean_memory_use : share of M, over the run.
    wall_s : seconds spent in the event loop alone.
    curve : shape (c, 4), time, running, waiting requests and used blocks, where the host was told to sample them.
    replica : shape (n,), where each request was served, in a fleet.
    more : further figures of the host by name (events, recomputed tokens, energy, …).
    """

    unit: str
    arrival: Floats
    start: Floats
    first_token: Floats
    finish: Floats
    prompt: Ints
    output: Ints
    predicted: Floats
    evictions: Ints
    attempts: Ints
    capacity: int
    peak_tokens: int
    mean_memory_use: float
    wall_s: float
    status: str = "ok"
    reason: str = ""
    client: Ints | None = None
    rejected: int = 0
    curve: Floats | None = None
    more: dict[str, float] = field(default_factory=dict)
    replica: Ints | None = None

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def latency(self) -> Floats:
        """finish − arrival, shape (n,)."""
        return self.finish - self.arrival

    @property
    def completed(self) -> int:
        """Requests that finished."""
        return int(np.isfinite(self.finish).sum())
