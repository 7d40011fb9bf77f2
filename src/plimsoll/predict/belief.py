"""What is believed about the output lengths of a trace."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ..errors import InputError
from ..trace import Floats, Ints, Trace


class Belief(NamedTuple):
    """A prediction for each of n requests, and the law of its error.

    Attributes
    ----------
    predicted : shape (n,), output tokens, at least 1.
    kind : shape (n,), the row of ``survival`` that holds for each request.
    survival : shape (kinds, POINTS), P(output/scale > GRID[j]) for each kind (see ``survival.GRID``).
    lower, upper : shape (n,), output tokens: bounds on the output, or None when the predictor gives none. A
        predictor that learns knows none before the run: 1 and infinity.
    scale : shape (n,), output tokens that ratio 1 of the law stands for, or None when that is ``predicted``. A
        predictor that learns sets it when it predicts: see ``policy.view.REQUEST``.
    columns : shape (n, c), an online predictor's own columns, one row per request, or None. An engine, where requests
        come one by one, asks for them by a method ``columns(trace)`` where there is one, else by ``plan`` each time.
    memory : shape (m,), an online predictor's own memory, or None.
    """

    predicted: Ints | Floats
    kind: Ints
    survival: Floats
    lower: Ints | Floats | None = None
    upper: Ints | Floats | None = None
    scale: Floats | None = None
    columns: Floats | None = None
    memory: Floats | None = None


class Predictor(Protocol):
    """A ``NamedTuple`` of numbers that says, before a run, what it believes about the outputs of a trace.

    An online predictor brings two compiled hooks beside ``plan``: ``predict(self, history, i)``, asked when request
    i arrives, and ``learn(self, history, i, output)``, told when it finishes, both in the order of the host's clock,
    so that nothing is learned from the future (see ``policy.view.History``).
    """

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """Believe. Randomness comes from ``rng`` only, so that a run repeats bit for bit."""
        ...


def require(condition: bool, predictor: str, parameter: str, value: object, valid: str) -> None:
    """Raise the one-line InputError of a parameter outside its range."""
    if not condition:
        raise InputError(f"predictor {predictor}: {parameter} must be {valid}, not {value}")


def one_kind(predicted: Ints, survival: Floats, lower: Ints | None = None, upper: Ints | None = None) -> Belief:
    """The belief of a predictor whose error has one law for all requests."""
    return Belief(predicted, np.zeros(len(predicted), np.int64), survival, lower, upper)


def whole(tokens: Floats | Ints) -> Ints:
    """Tokens rounded to the nearest integer (halves to even), at least 1."""
    return np.maximum(1, np.rint(tokens)).astype(np.int64)
