"""Split-conformal calibration: bounds whose coverage is guaranteed, whatever model they come from."""

from __future__ import annotations

import math

import numpy as np

from ..trace import Floats, Ints

FEWEST = 50  # calibration requests that a group needs for a margin of its own


def margin(miss: Floats, coverage: float) -> float:
    """How far bounds must move apart on both sides to cover a new request with probability ``coverage``.

    Parameters
    ----------
    miss : shape (n,), max(lower − y, y − upper) for each calibration request; negative inside the bounds.
    coverage : nominal, in (0, 1).

    Returns
    -------
    The ⌈(n + 1)·coverage⌉-th smallest miss; infinite when n is too small for the coverage asked.

    References
    ----------
    Romano, Patterson and Candès (2019), Conformalized quantile regression, arXiv:1905.03222, Theorem 1.
    """
    place = math.ceil((len(miss) + 1) * coverage - 1e-9)
    return float(np.sort(miss)[place - 1]) if place <= len(miss) else math.inf


def margins(miss: Floats, group: Ints, count: int, coverage: float) -> Floats:
    """``margin`` for each of ``count`` groups and, last, for all requests together, shape (count + 1,).

    A group with fewer than FEWEST calibration requests takes the margin of all. With its own margin a group
    is covered as stated by itself; requests are assumed exchangeable within it.
    """
    pooled = margin(miss, coverage)
    own = [miss[group == g] for g in range(count)]
    return np.array([*(margin(m, coverage) if len(m) >= FEWEST else pooled for m in own), pooled])
