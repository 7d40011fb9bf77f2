"""What a predictor says of every request, before and during a run."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..policy.law import known
from ..trace import Trace

Floats = npt.NDArray[np.float64]


class Forecast(NamedTuple):
    """A prediction for each of n requests, and the law of output/predicted.

    An online predictor leaves its guesses before the first arrival here and replaces them in its hooks.
    """

    predicted: Floats  # (n,) output tokens, at least 1, not always whole
    lower: Floats  # (n,) the output is believed to be at least this
    upper: Floats  # (n,) … and at most this
    kind: npt.NDArray[np.int64]  # (n,) row of each request's law in ``survival``
    survival: Floats  # (kinds, policy.law.POINTS): P(output / predicted > ratio)
    columns: Floats = np.zeros((0, 1))  # (n, c) the predictor's own columns
    memory: Floats = np.zeros(1)  # (m,) the predictor's own memory


class Predictor(Protocol):
    """A ``NamedTuple`` of numbers with a ``plan``; an online one brings compiled hooks too.

    ``predict(self, history, i)`` is asked when i arrives and ``learn(self, history, i, output)`` when it finishes, in the
    order of the host's clock, so that nothing is learned from the future.
    """

    def plan(self, trace: Trace, rng: np.random.Generator) -> Forecast:
        """Everything that can be said before the run."""
        ...


def forecast(predicted: Any, lower: Any = None, upper: Any = None, survival: Any = None, kind: Any = None) -> Forecast:
    """A forecast from arrays of shape (n,); without ``survival`` the law is a step at the prediction."""
    predicted = np.maximum(np.asarray(predicted, dtype=np.float64), 1.0)
    return Forecast(
        predicted,
        predicted if lower is None else np.asarray(lower, dtype=np.float64),
        predicted if upper is None else np.asarray(upper, dtype=np.float64),
        np.zeros(len(predicted), np.int64) if kind is None else np.asarray(kind, dtype=np.int64),
        known() if survival is None else np.asarray(survival, dtype=np.float64),
    )

