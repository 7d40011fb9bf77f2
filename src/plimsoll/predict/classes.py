"""A few length classes per request, and predictions that only get the order right."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..trace import Floats, Ints, Trace
from .belief import Belief, require
from .bit import class_means
from .survival import empirical

PUBLISHED_RHO = 0.77
PUBLISHED_MEANS = (36.0, 121.0, 228.0, 314.0, 342.0)


class Classes(NamedTuple):
    """K classes of equal size by true length, confused with their neighbours.

    Parameters
    ----------
    k : K, 2 <= K <= 64.
    rho : Spearman correlation of the believed class with the output, 0 <= rho < √(1 − 1/K²); it sets the
        confusion matrix, in which a class is taken for another with a probability that falls exponentially
        with their distance.
    means : the lengths that stand for the classes: ``published`` (K = 5 only: 36, 121, 228, 314 and 342
        tokens), ``fitted`` (mean output of the requests believed to be in the class, in the trace itself) or
        ``auto`` (published for K = 5, else fitted).
    confusion : a CSV file of K rows of K numbers without header: row a, column b is the probability that a
        request of class a is believed to be in b. It replaces ``rho``.
    """

    k: int = 5
    rho: float = PUBLISHED_RHO
    means: str = "auto"
    confusion: str = ""

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """One kind per believed class."""
        require(2 <= self.k <= 64, "classes", "k", self.k, "in [2, 64]")
        most = (1 - 1 / self.k**2) ** 0.5
        require(0 <= self.rho < most, "classes", "rho", self.rho, f"in [0, {most:.3f}) for {self.k} classes")
        known = self.means in ("auto", "published", "fitted")
        require(known, "classes", "means", self.means, "auto, published or fitted")
        published = self.means == "published" or (self.means == "auto" and self.k == 5)
        require(not published or self.k == 5, "classes", "k", self.k, "5 with the published means")
        given = bool(self.confusion)
        matrix = read_confusion(self.confusion, self.k) if given else confusion(self.k, self.rho)
        reach = np.cumsum(matrix, axis=1)
        true = equal_classes(trace.output, self.k)
        draw = rng.uniform(size=len(trace))
        kind = np.minimum((draw[:, None] >= reach[true]).sum(axis=1), self.k - 1).astype(np.int64)
        lengths = np.array(PUBLISHED_MEANS) if published else class_means(trace.output, kind, self.k)
        predicted = lengths[kind]
        return Belief(predicted, kind, empirical(trace.output, predicted, kind, self.k))


class Rank(NamedTuple):
    """The trace's own lengths, dealt out so that their order has a given Spearman correlation with the truth.

    Parameters
    ----------
    rho : Spearman correlation of predicted with output, −1 <= rho <= 1; met on average over traces without
        ties, through a Gaussian copula with Pearson correlation 2·sin(π·rho/6).
    """

    rho: float = 0.8

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """Eight kinds, by eighths of the predicted length, because errors shrink towards the middle."""
        require(-1 <= self.rho <= 1, "rank", "rho", self.rho, "in [-1, 1]")
        n = len(trace)
        normal = np.sort(rng.standard_normal(n))[ranks(trace.output)]
        pull = 2 * np.sin(np.pi * self.rho / 6)
        score = pull * normal + np.sqrt(max(0.0, 1 - pull * pull)) * rng.standard_normal(n)
        predicted = np.sort(trace.output, kind="stable")[ranks(score)]
        kind = np.minimum(ranks(predicted) * 8 // max(n, 1), 7).astype(np.int64)
        return Belief(predicted, kind, empirical(trace.output, predicted, kind, 8))


def ranks(values: Ints | Floats) -> Ints:
    """The place of each value in ascending order, 0 … n − 1; ties by position."""
    place = np.empty(len(values), np.int64)
    place[np.argsort(values, kind="stable")] = np.arange(len(values))
    return place


def equal_classes(output: Ints, count: int) -> Ints:
    """The class of each request by length; ``count`` classes of equal size, but ties stay together."""
    edges = np.quantile(output, np.arange(1, count) / count) if len(output) else np.zeros(count - 1)
    return np.searchsorted(edges, output, side="left").astype(np.int64)


@cache
def confusion(count: int, rho: float) -> Floats:
    """A K × K confusion matrix with Spearman correlation ``rho`` between output and believed class.

    Entry (a, b) is proportional to exp(−|a − b|/width), and the width is found by bisection.
    """
    low, high = 1e-3, 1e3
    for _ in range(60):
        width = (low * high) ** 0.5
        low, high = (width, high) if correlation(neighbours(count, width)) > rho else (low, width)
    return neighbours(count, low)


def neighbours(count: int, width: float) -> Floats:
    """Confusion that falls exponentially with the distance of the classes; each row sums to 1."""
    place = np.arange(count)
    weight = np.exp(-np.abs(place[:, None] - place[None, :]) / width)
    return weight / weight.sum(axis=1, keepdims=True)


def correlation(matrix: Floats) -> float:
    """Spearman correlation of the output with the believed class, for true classes of equal size."""
    count = len(matrix)
    joint = matrix / count
    believed = joint.sum(axis=0)
    rank = np.cumsum(believed) - believed / 2
    true = (np.arange(count) + 0.5) / count
    covariance = (true - 0.5) @ joint @ (rank - 0.5)
    return float(covariance / np.sqrt((believed @ (rank - 0.5) ** 2) / 12))


def read_confusion(file: str, count: int) -> Floats:
    """A confusion matrix from a CSV file; rows must be probabilities that sum to 1 within 1e-6."""
    if not Path(file).is_file():
        raise InputError(f"{file}: no such file (the confusion matrix of predictor classes)")
    try:
        matrix = np.loadtxt(file, delimiter=",", ndmin=2)
    except ValueError as error:
        raise InputError(f"{file}: not a table of numbers: {error}") from None
    if matrix.shape != (count, count):
        rows, columns = matrix.shape
        raise InputError(f"{file}: {rows} rows of {columns} numbers, expected {count} of {count}")
    for row, probabilities in enumerate(matrix, start=1):
        total = probabilities.sum()
        if not (np.all(probabilities >= 0) and abs(total - 1) < 1e-6):
            raise InputError(f"{file}, row {row}: must be probabilities with sum 1, not sum {total:.6g}")
    return matrix
