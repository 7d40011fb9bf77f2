"""Laws of a length in tokens. Each is its quantile function, so that any two can be joined by a copula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..trace import LONGEST, Floats, Ints
from . import normal


class Lengths(Protocol):
    """A law of lengths."""

    def quantile(self, u: Floats) -> Ints:
        """Tokens, at least 1, at probabilities ``u`` strictly between 0 and 1, of the shape of ``u``."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Always the same length."""

    tokens: int

    def __post_init__(self) -> None:
        _require(1 <= self.tokens <= LONGEST, f"fixed: tokens must be in 1…{LONGEST}, not {self.tokens}")

    def quantile(self, u: Floats) -> Ints:
        return np.full(u.shape, self.tokens, dtype=np.int64)


@dataclass(frozen=True)
class Uniform:
    """Every whole number from ``low`` to ``high``, both included, equally often."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _require(
            1 <= self.low <= self.high <= LONGEST,
            f"uniform: 1 ≤ low ≤ high ≤ {LONGEST} is needed, not low={self.low}, high={self.high}",
        )

    def quantile(self, u: Floats) -> Ints:
        return self.low + np.floor(u * (self.high - self.low + 1)).astype(np.int64)


@dataclass(frozen=True)
class Geometric:
    """Each further token comes with the same chance: P(length > k) = (1 − 1/mean)^k. Clipped at ``high``."""

    mean: float
    high: int = LONGEST

    def __post_init__(self) -> None:
        _require(self.mean >= 1 and np.isfinite(self.mean), f"geometric: mean must be at least 1, not {self.mean}")
        _require(1 <= self.high <= LONGEST, f"geometric: high must be in 1…{LONGEST}, not {self.high}")

    def quantile(self, u: Floats) -> Ints:
        if self.mean == 1:
            return np.ones(u.shape, dtype=np.int64)
        return _tokens(np.ceil(np.log1p(-u) / np.log1p(-1 / self.mean)), 1, self.high)


@dataclass(frozen=True)
class Lognormal:
    """exp(μ + σZ), rounded and clipped to ``low``…``high``."""

    mu: float
    sigma: float
    low: int = 1
    high: int = LONGEST

    def __post_init__(self) -> None:
        _require(np.isfinite(self.mu), f"lognormal: mu must be finite, not {self.mu}")
        _require(self.sigma >= 0 and np.isfinite(self.sigma), f"lognormal: sigma must be ≥ 0, not {self.sigma}")
        _require(
            1 <= self.low <= self.high <= LONGEST,
            f"lognormal: 1 ≤ low ≤ high ≤ {LONGEST} is needed, not low={self.low}, high={self.high}",
        )

    def quantile(self, u: Floats) -> Ints:
        # Far out, exp would overflow before the clip.
        power = np.minimum(self.mu + self.sigma * normal.quantile(u), np.log(self.high) + 1)
        return _tokens(np.rint(np.exp(power)), self.low, self.high)


@dataclass(frozen=True)
class Quantiles:
    """An empirical law: lengths at given probabilities, straight lines between them.

    Attributes
    ----------
    points : increasing probabilities from 0 to 1.
    tokens : the lengths there, not decreasing, at least 1.
    """

    points: tuple[float, ...]
    tokens: tuple[int, ...]

    def __post_init__(self) -> None:
        _require(len(self.points) == len(self.tokens) >= 2, "quantiles: as many lengths as points, at least 2")
        _require(self.points[0] == 0 and self.points[-1] == 1, "quantiles: points must run from 0 to 1")
        _require(bool(np.all(np.diff(self.points) > 0)), "quantiles: points must increase")
        _require(
            self.tokens[0] >= 1 and bool(np.all(np.diff(self.tokens) >= 0)),
            "quantiles: lengths must not fall",
        )

    @staticmethod
    def of(lengths: npt.ArrayLike, points: tuple[float, ...] | None = None) -> Quantiles:
        """The law of measured lengths, at least 1 each, at ``points`` (by default ``POINTS``)."""
        grid = POINTS if points is None else points
        values = np.maximum(np.rint(np.quantile(np.asarray(lengths), grid)), 1).astype(np.int64)
        return Quantiles(grid, tuple(values.tolist()))

    def quantile(self, u: Floats) -> Ints:
        return np.rint(np.interp(u, self.points, self.tokens)).astype(np.int64)


POINTS = (
    *(0.0, 0.002, 0.01, 0.02, 0.03, 0.04),
    *(i / 20 for i in range(1, 20)),
    *(i / 200 for i in range(192, 200)),
    *(0.9975, 0.999, 0.9995, 0.9999, 1.0),
)
"""Where measured lengths are taken down: closer in the upper tail, which carries the mean."""


@dataclass(frozen=True)
class Mixture:
    """Mostly ``body``; a small ``share`` of requests are outliers of another law."""

    body: Lengths
    outliers: Lengths
    share: float

    def __post_init__(self) -> None:
        _require(0 < self.share < 1, f"mixture: the share of outliers must lie between 0 and 1, not {self.share}")

    def quantile(self, u: Floats) -> Ints:
        """A map of uniform ``u`` to lengths of this law; outliers sit at the top, whatever their size."""
        cut = 1 - self.share
        out = np.empty(u.shape, dtype=np.int64)
        far = u > cut
        out[~far] = self.body.quantile(inside(u[~far] / cut))
        out[far] = self.outliers.quantile(inside((u[far] - cut) / self.share))
        return out


def inside(u: Floats) -> Floats:
    """Probabilities kept strictly between 0 and 1."""
    return np.clip(u, 2.0**-54, 1 - 2.0**-53)


def _tokens(values: Floats, low: int, high: int) -> Ints:
    return np.clip(values, low, high).astype(np.int64)


def _require(good: bool | np.bool_, why: str) -> None:
    if not good:
        raise InputError(why)
