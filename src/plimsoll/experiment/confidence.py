"""Means of a few replications, with Student's interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""97.5 % points of Student's law with 1, 2, … 30 degrees of freedom; the normal law's 1.96 beyond."""


class Interval(NamedTuple):
    """A mean and the ends of its 95 % interval; infinite ends where one value says nothing about the spread."""

    mean: float
    low: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent values.

    Examples
    --------
    >>> interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, low=-0.48..., high=4.48...)
    """
    mean = float(np.mean(values))
    free = len(values) - 1
    if free == 0 or not np.isfinite(mean):
        return Interval(mean, -np.inf, np.inf)
    half = (STUDENT[free - 1] if free <= len(STUDENT) else 1.96) * float(np.std(values, ddof=1)) / (free + 1) ** 0.5
    return Interval(mean, mean - half, mean + half)
