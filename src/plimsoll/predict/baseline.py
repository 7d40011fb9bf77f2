"""Predictions that know nothing about the single request."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..trace import Trace
from .belief import Belief, one_kind, require, whole
from .survival import empirical


class Constant(NamedTuple):
    """The same length for every request.

    Parameters
    ----------
    tokens : the length, at least 1; 0 takes the trace's mean output.
    """

    tokens: float = 0.0

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """One kind: the law of all outputs of the trace."""
        require(self.tokens == 0 or 1 <= self.tokens < 2**53, "constant", "tokens", self.tokens, "at least 1")
        predicted = whole(np.full(len(trace), self.tokens or float(np.mean(trace.output))))
        return one_kind(predicted, empirical(trace.output, predicted, predicted * 0, 1))


class MaxTokens(NamedTuple):
    """The longest output that the request allows.

    Parameters
    ----------
    tokens : the limit, at least 1; 0 takes the trace's column ``max_tokens``.
    """

    tokens: int = 0

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """The limit is also the upper bound, where no output exceeds it."""
        require(self.tokens >= 0, "max_tokens", "tokens", self.tokens, "at least 1")
        if self.tokens == 0 and "max_tokens" not in trace.more:
            raise InputError(f"{trace.name}: no column max_tokens; give the limit, as in max_tokens:2048")
        limit = np.full(len(trace), self.tokens) if self.tokens else np.asarray(trace.more["max_tokens"])
        predicted = whole(limit.astype(np.float64))
        upper = predicted if bool(np.all(trace.output <= predicted)) else None
        return one_kind(predicted, empirical(trace.output, predicted, predicted * 0, 1), None, upper)
