"""The law of output lengths, as a policy asks for it."""

from __future__ import annotations

from ..jit import njit
from ..predict.survival import GRID, POINTS, alive, cell
from .view import View

LEAST = 1e-9  # a survival below it means that the law has ended


@njit()
def scale(given: float, predicted: float) -> float:
    """The tokens that ratio 1 stands for. An eviction raises ``predicted``, but what the law is relative to stays."""
    return given if given > 0.0 else predicted


@njit()
def survives(view: View, i: int, tokens: float) -> float:
    """P(output of request i > tokens), by the predictor's law."""
    r = view.requests[i]
    return alive(view.survival[r.kind], max(0.0, tokens) / scale(r.scale, r.predicted))


@njit()
def expected_volume(view: View, i: int) -> float:
    """Expected memory × time, token-steps, that request i still needs: E[Σ (s + u) for u = g + 1 … o | o > g].

    g are the tokens kept from earlier attempts. The moments are exact for a curve that is linear between grid points.
    """
    r = view.requests[i]
    curve = view.survival[r.kind]
    tokens = scale(r.scale, r.predicted)
    had = float(r.generated)
    first, left = had / tokens, alive(curve, had / tokens)
    if left < LEAST:  # it has outlived its law: one more token, as hosts predict
        return r.prompt + had + 1.0
    j, low, at_low, one, two = cell(first), first, left, 0.0, 0.0
    while j + 1 < POINTS:  # one = ∫ P(o > x) dx and two = ∫ 2x P(o > x) dx, in units of ``tokens``
        high, at_high = GRID[j + 1], curve[j + 1]
        one += (at_low + at_high) / 2.0 * (high - low)
        two += (at_low * (2.0 * low + high) + at_high * (low + 2.0 * high)) / 3.0 * (high - low)
        low, at_low = high, at_high
        j += 1
    more = tokens * one / left
    square = tokens * tokens * two / left
    return r.prompt * more + (square + more) / 2.0
