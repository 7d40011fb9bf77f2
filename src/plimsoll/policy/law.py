"""The law of output lengths, as a policy asks for it."""

from __future__ import annotations

from ..jit import njit
from ..predict.survival import alive
from .view import View


@njit()
def survives(view: View, i: int, tokens: float) -> float:
    """P(output of request i > tokens), by the predictor's law."""
    r = view.requests[i]
    return alive(view.survival[r.kind], max(0.0, tokens) / r.predicted)
