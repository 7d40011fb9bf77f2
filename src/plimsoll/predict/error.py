"""Error models of one number: the true length, blurred by a stated law."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..trace import Ints, Trace
from . import survival
from .belief import Belief, one_kind, require, whole
from .law import MEDIAN, SIGMA

VAGUE = 10.0  # requests that the law believed at first is worth
LEVELS = 32  # widths of a lognormal law told apart


class Exact(NamedTuple):
    """The true output length: clairvoyance."""

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """Predicted = output, with both bounds equal to it."""
        output = np.array(trace.output)
        return one_kind(output, survival.step(), output, output)


class Noisy(NamedTuple):
    """Uniform error: max(1, round(o · U)) with U uniform on [1 − epsilon, 1 + epsilon].

    Parameters
    ----------
    epsilon : relative error, 0 <= epsilon < 1.

    References
    ----------
    Error levels 0.2, 0.5 and 0.8 of Jaillet et al. (2025), arXiv:2502.07115; the sampling law is ours.
    """

    epsilon: float = 0.2

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """One uniform draw per request, in trace order."""
        require(0 <= self.epsilon < 1, "noisy", "epsilon", self.epsilon, "in [0, 1)")
        factor = rng.uniform(1 - self.epsilon, 1 + self.epsilon, len(trace))
        law = survival.inverse_uniform(1 - self.epsilon, 1 + self.epsilon)
        return one_kind(whole(trace.output * factor), law)


class Lognormal(NamedTuple):
    """Lognormal error: max(1, round(o · exp(sigma · Z))), Z standard normal, so the median error is none.

    The law is that of the output given what was said: see ``posterior``.

    Parameters
    ----------
    sigma : standard deviation of the log error, 0 <= sigma <= 10.
    """

    sigma: float = 0.5

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """One normal draw per request, in trace order."""
        require(0 <= self.sigma <= 10, "lognormal", "sigma", self.sigma, "in [0, 10]")
        said = whole(trace.output * np.exp(self.sigma * rng.standard_normal(len(trace))))
        return posterior(said, self.sigma, np.argsort(trace.arrival, kind="mergesort"))


class Upper(NamedTuple):
    """Never too short: floor(o · U) with U uniform on [1, alpha], so that o <= predicted <= alpha · o.

    Parameters
    ----------
    alpha : the largest overestimate, 1 <= alpha.

    References
    ----------
    The prediction model in the theory of Jaillet et al. (2025), arXiv:2502.07115; the law inside it is ours.
    """

    alpha: float = 2.0

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """``upper`` is the prediction, ``lower`` the least output that it allows."""
        require(1 <= self.alpha < np.inf, "upper", "alpha", self.alpha, "at least 1")
        factor = rng.uniform(1, self.alpha, len(trace))
        predicted = np.maximum(trace.output, np.floor(trace.output * factor)).astype(np.int64)
        lower = np.maximum(1, np.ceil(predicted / self.alpha - 1e-9)).astype(np.int64)
        return one_kind(predicted, survival.inverse_uniform(1, self.alpha), lower, predicted)


class Interval(NamedTuple):
    """Bounds that hold the output at a uniformly random place between them; predicted is their middle.

    Parameters
    ----------
    width : (upper − lower)/output before rounding outwards, 0 <= width < 2.

    References
    ----------
    The information of A_min and A_max, Chen, Ye and Zhou (2025), arXiv:2508.14544; the law inside it is ours.
    """

    width: float = 0.5

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """``lower <= output <= upper`` for every request."""
        require(0 <= self.width < 2, "interval", "width", self.width, "in [0, 2)")
        below = self.width * rng.uniform(size=len(trace))
        lower = np.maximum(1, np.floor(trace.output * (1 - below))).astype(np.int64)
        upper = np.ceil(trace.output * (1 - below + self.width)).astype(np.int64)
        middle = whole(trace.output * (1 - below + self.width / 2))
        law = survival.inverse_uniform(1 - self.width / 2, 1 + self.width / 2)
        return one_kind(middle, law, lower, np.maximum(upper, trace.output))


def posterior(said: Ints, sigma: float, order: Ints) -> Belief:
    """Predictions with a lognormal error, and the law of each output given all that was said up to its arrival.

    Who is said to be long is on average shorter than that, because errors are part of what was said. With log outputs
    of variance τ² about m, the log output given y = log(said) is normal with mean m + κ(y − m) and variance κσ²,
    κ = τ²/(τ² + σ²). m and τ² + σ², the mean and variance of y, come from the predictions so far and nothing else;
    at first from the vague law with which the predictor ``law`` starts, worth ten requests.

    Parameters
    ----------
    said : shape (n,), tokens.
    sigma : standard deviation of the log error.
    order : shape (n,), the rows by arrival.

    References
    ----------
    Efron and Morris (1973), Stein's estimation rule: empirical Bayes with a normal law.
    """
    y, so_far = np.log(said[order]), np.arange(1, len(said) + 1)
    away = y - math.log(MEDIAN)
    mean = np.cumsum(away) / (so_far + VAGUE)
    square = (np.cumsum(away**2) + VAGUE * (SIGMA**2 + sigma**2)) / (so_far + VAGUE)
    kept = np.clip(1 - sigma**2 / (square - mean**2), 1 / LEVELS, 1)
    scale, kind = np.empty(len(said)), np.empty(len(said), np.int64)
    scale[order] = np.exp(math.log(MEDIAN) + mean + kept * (away - mean))
    kind[order] = np.rint(kept * LEVELS).astype(np.int64) - 1
    curves = [survival.lognormal(sigma * math.sqrt(level / LEVELS)) for level in range(1, LEVELS + 1)]
    return Belief(said, kind, np.vstack(curves), scale=scale)
