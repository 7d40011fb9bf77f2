"""Drawing from a workload, and fitting one to a trace."""

import numpy as np
import pytest

from plimsoll.errors import InputError
from plimsoll.trace import Trace, mean_rate
from plimsoll.workload import Fixed, Gamma, Geometric, Lognormal, Poisson, Uniform, Workload, cv_of_gaps, fit

CHAT = Workload(Lognormal(5, 1), Geometric(100), Poisson(), rate=4, requests=2000, correlation=0.5)


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


def test_the_same_seed_draws_the_same_trace():
    a, b, c = CHAT.generate(seed=3), CHAT.generate(seed=3), CHAT.generate(seed=4)
    for column in ("arrival", "prompt", "output"):
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column))
        assert not np.array_equal(getattr(a, column), getattr(c, column))


def test_the_first_of_many_are_a_draw_of_few():
    few, many = CHAT.generate(50), CHAT.generate(500)
    for column in ("arrival", "prompt", "output"):
        np.testing.assert_array_equal(getattr(few, column), getattr(many, column)[:50])


def test_rate_only_stretches_time():
    slow, fast = CHAT.generate(rate=1), CHAT.generate(rate=10)
    np.testing.assert_allclose(slow.arrival, fast.arrival * 10)
    np.testing.assert_array_equal(slow.prompt, fast.prompt)


def test_the_copula_gives_the_rank_correlation():
    drawn = CHAT.generate(200_000)
    spearman = np.corrcoef(_ranks(drawn.prompt), _ranks(drawn.output))[0, 1]
    assert spearman == pytest.approx(6 / np.pi * np.arcsin(0.25), abs=0.01)


@pytest.mark.parametrize("correlation", [0.0, 0.6, -0.6])
def test_mean_volume_is_that_of_many_draws(correlation):
    workload = Workload(Lognormal(5, 1), Uniform(1, 400), Poisson(), 1, 10**6, correlation)
    assert workload.generate().volume.mean() == pytest.approx(workload.mean_volume(), rel=0.01)


def test_mean_volume_by_hand():
    assert Workload(Fixed(3), Fixed(4), Poisson(), 1, 1).mean_volume() == pytest.approx(3 * 4 + 10)


def test_a_fitted_workload_looks_like_its_trace():
    bursty = Workload(Lognormal(6, 1), Geometric(150), Gamma(2.5), rate=7, requests=40_000, correlation=-0.4)
    trace = bursty.generate(seed=1)
    drawn = fit(trace).generate(200_000, seed=2)
    for a, b in ((drawn.prompt, trace.prompt), (drawn.output, trace.output)):
        assert a.mean() == pytest.approx(b.mean(), rel=0.03)
        for p in (50, 90, 99):
            assert np.percentile(a, p) == pytest.approx(np.percentile(b, p), rel=0.03)
    assert drawn.volume.mean() == pytest.approx(trace.volume.mean(), rel=0.03)
    assert mean_rate(drawn.arrival) == pytest.approx(mean_rate(trace.arrival), rel=0.03)
    assert cv_of_gaps(drawn.arrival) == pytest.approx(cv_of_gaps(trace.arrival), rel=0.05)


def test_a_burst_is_fitted_as_a_burst():
    drawn = fit(Trace.of([(0, 3, 4), (0, 5, 6)])).generate(100)
    assert drawn.arrival.max() == 0
    assert set(drawn.prompt.tolist()) <= {3, 4, 5}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"requests": 0}, "requests must be in 1…"),
        ({"rate": 0.0}, "rate must be a positive number"),
        ({"rate": float("inf")}, "rate must be a positive number"),
        ({"seed": -1}, "seed must not be negative"),
    ],
)
def test_impossible_draws_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        CHAT.generate(**changed)


def test_correlation_has_a_range():
    with pytest.raises(InputError, match="correlation must lie between"):
        Workload(Fixed(1), Fixed(1), Poisson(), 1, 1, correlation=1)
