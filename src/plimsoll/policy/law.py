"""The law of output lengths, as a policy asks for it."""

from __future__ import annotations

from ..jit import njit
from ..predict.survival import alive
from .view import View


@njit()
def scale(given: float, predicted: float) -> float:
    """The tokens that ratio 1 stands for. An eviction raises ``predicted``, but what the law is relative to stays."""
    return given if given > 0.0 else predicted


@njit()
def survives(view: View, i: int, tokens: float) -> float:
    """P(output of request i > tokens), by the predictor's law."""
    r = view.requests[i]
    return alive(view.survival[r.kind], max(0.0, tokens) / scale(r.scale, r.predicted))

