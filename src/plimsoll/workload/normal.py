"""The standard normal law over arrays."""

from __future__ import annotations

from collections.abc import Callable
from math import erfc, sqrt
from statistics import NormalDist

import numpy as np

from ..trace import Floats

_INVERSE = NormalDist().inv_cdf


def cdf(z: Floats) -> Floats:
    """P(Z ≤ z), of the shape of ``z``."""
    return 0.5 * _each(erfc, -z / sqrt(2.0))


def quantile(u: Floats) -> Floats:
    """The z with P(Z ≤ z) = u, of the shape of ``u``, which lies strictly between 0 and 1."""
    return _each(_INVERSE, u)


def _each(function: Callable[[float], float], values: Floats) -> Floats:
    return np.fromiter(map(function, values.ravel().tolist()), np.float64, values.size).reshape(values.shape)
