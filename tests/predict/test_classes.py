"""Bits, classes and ranks against hand-solved cases and the published figures."""

from pathlib import Path

import numpy as np
import pytest

from plimsoll.errors import InputError
from plimsoll.predict import Classes, OneBit, Rank, load_predictor
from plimsoll.predict.bit import burst, geometric
from plimsoll.predict.classes import confusion, correlation, ranks
from plimsoll.trace import Trace


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """By definition, with mid ranks for ties."""

    def middle(values: np.ndarray) -> np.ndarray:
        _, where, count = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(count) - (count - 1) / 2)[where]

    return float(np.corrcoef(middle(one), middle(other))[0, 1])


def outputs(n: int = 50_000) -> Trace:
    output = np.maximum(1, np.random.default_rng(5).lognormal(6, 1, n)).astype(np.int64)
    return Trace(np.zeros(n), np.ones(n, np.int64), output)


@pytest.mark.parametrize(("longest", "short", "long"), [(16, 2, 8), (4096, 8, 512), (65536, 16, 4096)])
def test_burst_proxies(longest: int, short: float, long: float) -> None:
    assert burst(longest) == pytest.approx([short, long])


@pytest.mark.parametrize(("mu", "theta", "short", "long"), [(0.5, 2, 4 / 3, 4), (0.02, 50, 21.3627, 100)])
def test_poisson_proxies(mu: float, theta: float, short: float, long: float) -> None:
    assert geometric(1 / mu, theta) == pytest.approx([short, long], abs=1e-4)


def test_one_bit_by_hand() -> None:
    trace = Trace.of([(0, 1, 10), (0, 1, 30), (0, 1, 100), (0, 1, 300)])
    belief = OneBit(theta=30).plan(trace, np.random.default_rng(0))
    assert belief.kind.tolist() == [0, 0, 1, 1]
    assert belief.predicted.tolist() == [20, 20, 200, 200]
    flipped = OneBit(theta=30, flip=1.0).plan(trace, np.random.default_rng(0))
    assert flipped.kind.tolist() == [1, 1, 0, 0]
    assert flipped.predicted.tolist() == [20, 20, 200, 200]


def test_the_share_of_wrong_bits_is_flip() -> None:
    trace = outputs()
    bit = OneBit(theta=400, flip=0.1).plan(trace, np.random.default_rng(1)).kind
    assert np.mean(bit != (trace.output > 400)) == pytest.approx(0.1, abs=0.01)


def test_five_classes_have_the_published_correlation_and_means() -> None:
    trace = outputs()
    belief = Classes().plan(trace, np.random.default_rng(2))
    assert spearman(belief.predicted, trace.output) == pytest.approx(0.77, abs=0.01)
    assert np.unique(belief.predicted).tolist() == [36, 121, 228, 314, 342]


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_confusion_matrices_have_their_correlation(count: int) -> None:
    matrix = confusion(count, 0.6)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(count))
    assert correlation(matrix) == pytest.approx(0.6, abs=1e-9)
    trace = outputs()
    belief = Classes(count, 0.6, "fitted").plan(trace, np.random.default_rng(3))
    assert spearman(belief.predicted, trace.output) == pytest.approx(0.6, abs=0.02)


def test_a_confusion_matrix_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "swap.csv"
    file.write_text("0,1\n1,0\n")
    trace = Trace.of([(0, 1, 10), (0, 1, 20), (0, 1, 100), (0, 1, 200)])
    belief = load_predictor(f"classes:2,rho=0.5,confusion={file}").plan(trace, np.random.default_rng(0))
    assert belief.kind.tolist() == [1, 1, 0, 0]
    assert belief.predicted.tolist() == [15, 15, 150, 150]
    file.write_text("0.5,0.6\n1,0\n")
    with pytest.raises(InputError, match=r"swap.csv, row 1: must be probabilities with sum 1"):
        load_predictor(f"classes:2,rho=0.5,confusion={file}").plan(trace, np.random.default_rng(0))


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.3, 0.77, 1.0])
def test_rank_has_its_correlation_and_the_true_marginal(rho: float) -> None:
    trace = outputs()
    belief = Rank(rho).plan(trace, np.random.default_rng(4))
    assert spearman(belief.predicted, trace.output) == pytest.approx(rho, abs=0.015)
    assert np.array_equal(np.sort(belief.predicted), np.sort(trace.output))


def test_ranks_keep_the_order_of_ties() -> None:
    assert ranks(np.array([5, 1, 5, 0])).tolist() == [2, 1, 3, 0]
