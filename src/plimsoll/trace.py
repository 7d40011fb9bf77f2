"""A trace: requests as columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """n requests as columns, sorted by arrival (with ``session``: by arrival within each session).

    Attributes
    ----------
    arrival : shape (n,), seconds, or rounds for a trace made by hand.
    prompt : shape (n,), tokens, at least 0.
    output : shape (n,), tokens, at least 1: the true length, which no policy sees.
    name : what to call the trace in tables.
    session : shape (n,) session of each request; each session then has its own clock.
    client : shape (n,) who sent each request.
    more : any further columns of the file, by name, each of shape (n,) (``prompt_text``, ``hash_ids``, …).
    """

    arrival: Floats
    prompt: Ints
    output: Ints
    name: str = "trace"
    session: Ints | None = None
    client: Ints | None = None
    more: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.prompt)

    @staticmethod
    def of(requests: Iterable[tuple[float, int, int]], name: str = "trace") -> Trace:
        """A trace from (arrival, prompt, output) triples."""
        rows = np.array(list(requests), dtype=np.float64).reshape(-1, 3)
        return Trace(rows[:, 0].copy(), rows[:, 1].astype(np.int64), rows[:, 2].astype(np.int64), name)
