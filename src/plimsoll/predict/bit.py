"""One bit per request: is the output longer than a threshold?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..trace import Floats, Ints, Trace
from .belief import Belief, require
from .survival import empirical


class OneBit(NamedTuple):
    """The bit "output > theta", wrong with probability ``flip``, and one proxy length for each of its values.

    Parameters
    ----------
    theta : threshold, output tokens. 0 chooses it: √T for ``burst``, else the median output.
    flip : probability that the bit is wrong, 0 <= flip <= 1.
    proxy : the lengths that stand for short and long: ``means`` (mean output of the requests with that bit,
        in the trace itself), ``burst`` (T^(1/4) and T^(3/4), with T the largest prompt + output) or
        ``poisson`` (E[o | o <= theta] and E[o | o > theta] under a geometric law with the trace's mean).

    References
    ----------
    Kong et al. (2026), arXiv:2606.22327, Algorithm 2 and Theorems 3.3 and 3.5. They leave the proxies of
    their experiments open; ``means`` is our practical default. Proxies need not be whole.
    """

    theta: float = 0.0
    flip: float = 0.0
    proxy: str = "means"

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """Two kinds: 0 short, 1 long, each with the law of its members' output over the proxy."""
        require(0 <= self.theta < np.inf, "one-bit", "theta", self.theta, "at least 0")
        require(0 <= self.flip <= 1, "one-bit", "flip", self.flip, "in [0, 1]")
        known = self.proxy in ("means", "burst", "poisson")
        require(known, "one-bit", "proxy", self.proxy, "means, burst or poisson")
        longest = float(np.max(trace.prompt + trace.output, initial=1))
        theta = self.theta or (longest**0.5 if self.proxy == "burst" else float(np.median(trace.output)))
        bit = ((trace.output > theta) ^ (rng.uniform(size=len(trace)) < self.flip)).astype(np.int64)
        if self.proxy == "means":
            proxies = class_means(trace.output, bit, 2)
        elif self.proxy == "burst":
            proxies = burst(longest)
        else:
            proxies = geometric(float(trace.output.mean()), theta)
        predicted = np.maximum(proxies, 1.0)[bit]
        return Belief(predicted, bit, empirical(trace.output, predicted, bit, 2))


def burst(longest: float) -> Floats:
    """Proxies for a burst with prompt + output <= T = ``longest``: T^(1/4), T^(3/4) (Theorem 3.3)."""
    return np.array([longest**0.25, longest**0.75])


def geometric(mean: float, theta: float) -> Floats:
    """E[o | o <= theta] and E[o | o > theta] for a geometric output with this mean (Theorem 3.5)."""
    stay = (1 - 1 / mean) ** theta
    short = mean - theta * stay / (1 - stay) if stay < 1 else 1.0
    return np.array([max(short, 1.0), theta + mean])


def class_means(output: Ints, kind: Ints, kinds: int) -> Floats:
    """Mean output of each class, shape (kinds,), tokens; an empty class takes the mean of all."""
    members = np.bincount(kind, minlength=kinds)
    total = np.bincount(kind, output, minlength=kinds)
    return np.where(members > 0, total / np.maximum(members, 1), output.mean())
