"""Expected volumes and the pooled risk of the future peak."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.policy import volume
from plimsoll.policy.law import expected_volume
from plimsoll.policy.risk import ALIVE, FORECAST, HORIZONS, MEAN, MOST, VARIANCE, add, crowded, next_finish, tail
from plimsoll.predict import survival

from ..policies.test_load_line import view_of


@given(st.integers(0, 10_000), st.integers(1, 5_000), st.data())
def test_expected_volume_of_a_known_length_is_its_volume(prompt, output, data):
    had = data.draw(st.integers(0, output - 1))
    left = volume(prompt, output) - volume(prompt, had)
    assert expected_volume(view_of([(prompt, output, had)]), 0) == pytest.approx(left, rel=1e-2)


def test_expected_volume_is_the_mean_over_the_law():
    outputs = np.random.default_rng(3).integers(1, 400, 20_000)
    curve = survival.empirical(outputs, np.full(len(outputs), 200.0), np.zeros(len(outputs), np.int64), 1)
    view = view_of([(50, 200, 0), (50, 200, 100)], curve=curve)
    later = outputs[outputs > 100]
    assert expected_volume(view, 0) == pytest.approx(volume(50, outputs).mean(), rel=0.02)
    assert expected_volume(view, 1) == pytest.approx((volume(50, later) - volume(50, 100)).mean(), rel=0.02)


def test_a_request_that_outlived_its_law_needs_one_more_token():
    assert expected_volume(view_of([(10, 5, 7)]), 0) == 18


def test_forecast_of_known_lengths():
    forecast = np.zeros(FORECAST)
    view = view_of([(10, 4, 0), (20, 9, 0)])
    add(forecast, view, 0, 11)  # one token in, three to come: 12, 13, 14 tokens in the next three steps
    add(forecast, view, 1, 20)
    np.testing.assert_allclose(forecast[MEAN : MEAN + 4], [12 + 21, 13 + 22, 24, 28])
    np.testing.assert_allclose(forecast[MOST : MOST + 4], [12 + 21, 13 + 22, 15 + 24, 19 + 28])
    np.testing.assert_allclose(forecast[ALIVE : ALIVE + 5], [2, 2, 1, 1, 0])
    np.testing.assert_allclose(forecast[VARIANCE : VARIANCE + HORIZONS], 0, atol=1e-9)
    assert next_finish(forecast, 2) == 4
    assert crowded(forecast, 35, 0.0, 100.0) == 0
    assert crowded(forecast, 34, 0.0, 100.0) == 2


def test_forecast_counts_whole_blocks():
    forecast = np.zeros(FORECAST)
    add(forecast, view_of([(10, 900, 0)], block=16), 0, 15)
    np.testing.assert_allclose(forecast[MOST : MOST + 6], [16, 32, 32, 32, 32, 48])


def test_forecast_of_a_coin():
    """Half of the outputs have 1 token, half 100: after one step, half are gone."""
    curve = np.where(survival.GRID < 0.01, 1.0, np.where(survival.GRID < 1.0, 0.5, 0.0))[None, :]
    forecast = np.zeros(FORECAST)
    for _ in range(4):
        add(forecast, view_of([(10, 100, 0)], curve=curve), 0, 10)
    assert forecast[MEAN] == 44 and forecast[VARIANCE] == 0
    assert forecast[MEAN + 2] == pytest.approx(4 * 0.5 * 14)
    assert forecast[VARIANCE + 2] == pytest.approx(4 * 0.25 * 14**2)
    dear, cheap = 1e6, 1.0
    assert crowded(forecast, 45, 0.0, dear) > 0
    assert crowded(forecast, 45, 0.0, cheap) == 0
    assert crowded(forecast, 4 * (10 + 2048), 0.0, dear) == 0  # it fits whatever happens


@given(st.floats(1e-6, 1 - 1e-6))
def test_tail_is_the_normal_quantile(share):
    assert tail(share) == pytest.approx(NormalDist().inv_cdf(1 - share), abs=5e-4)
