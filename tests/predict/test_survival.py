"""Curves on the grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.predict import survival
from plimsoll.predict.survival import GRID, ONE, POINTS, alive, cell, empirical


@settings(deadline=None)  # the first call compiles
@given(st.floats(0, 1000))
def test_cell_is_a_search(ratio: float) -> None:
    assert cell(ratio) == np.searchsorted(GRID, ratio, side="right") - 1


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, POINTS - 1))
def test_cell_at_a_grid_point(j: int) -> None:
    assert cell(GRID[j]) == j


def test_the_grid_ascends_and_holds_one() -> None:
    assert np.all(np.diff(GRID) > 0)
    assert GRID[0] == 0
    assert GRID[ONE] == 1
    assert POINTS == 64


def test_exact_curve_is_a_step_for_whole_tokens() -> None:
    curve = survival.step()[0]
    for predicted in (1, 3, 1000, 100_000):
        assert alive(curve, (predicted - 1) / predicted) == 1
        assert alive(curve, 1.0) == 0
        assert alive(curve, (predicted + 1) / predicted) == 0


def test_alive_is_linear_between_points_and_flat_beyond() -> None:
    curve = np.linspace(1, 0.1, POINTS)
    middle = (GRID[40] + GRID[41]) / 2
    assert alive(curve, middle) == pytest.approx((curve[40] + curve[41]) / 2)
    assert alive(curve, 1e9) == curve[-1]


def test_empirical_by_hand() -> None:
    curves = empirical(np.array([5, 20]), np.array([10, 10]), np.array([0, 0]), 2)
    assert np.array_equal(curves[0], ((GRID < 0.5).astype(float) + (GRID < 2)) / 2)
    assert np.array_equal(curves[1], curves[0])  # nobody in class 1


def test_uniform_and_lognormal_curves_at_known_points() -> None:
    two = np.flatnonzero(GRID == 2)[0]
    assert survival.inverse_uniform(0.2, 1.8)[0, two] == pytest.approx(0.3 / 1.6)
    assert survival.lognormal(1.0)[0, ONE] == 0.5
    assert survival.lognormal(np.log(2))[0, two] == pytest.approx(0.158655, abs=1e-6)
