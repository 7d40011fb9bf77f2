"""Split-conformal margins: the finite-sample quantile and its coverage."""

import math

import numpy as np
import pytest

from plimsoll.predict.conformal import FEWEST, margin, margins


def test_the_place_of_the_quantile() -> None:
    miss = np.array([0.3, 0.1, 0.4, 0.2])
    assert margin(miss, 0.8) == 0.4  # ceil(5 · 0.8) = 4th smallest
    assert margin(miss, 0.6) == 0.3
    assert margin(miss, 0.9) == math.inf  # no four requests can promise 90 %
    assert margin(np.zeros(0), 0.5) == math.inf


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_coverage_of_new_requests_is_nominal_for_any_bounds(coverage: float) -> None:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        miss = np.maximum(-1 - rng.standard_cauchy(201), rng.standard_cauchy(201) - 0.5)
        covered.append(miss[200] <= margin(miss[:200], coverage))
    assert np.mean(covered) == pytest.approx(coverage, abs=0.04)


def test_small_groups_take_the_margin_of_all() -> None:
    miss = np.concatenate([np.zeros(FEWEST), np.ones(3)])
    group = np.concatenate([np.zeros(FEWEST, np.int64), np.ones(3, np.int64)])
    own = margins(miss, group, 3, 0.8)
    assert own.tolist() == [0.0, margin(miss, 0.8), margin(miss, 0.8), margin(miss, 0.8)]
