"""Arrival processes: their rate, their variation, and that a longer draw begins like a shorter one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.workload import AtOnce, Gamma, OnOff, Periodic, Poisson, Replay, cv_of_gaps

RECORDED = Replay(np.cumsum(np.random.default_rng(1).exponential(1, 300)))
processes = st.one_of(
    st.just(AtOnce()),
    st.just(Poisson()),
    st.builds(Gamma, st.floats(0.1, 5)),
    st.builds(OnOff, st.floats(0.1, 50), st.floats(0, 50)),
    st.builds(Periodic, st.integers(1, 10)),
    st.just(RECORDED),
)


@settings(deadline=None)
@given(processes, st.integers(1, 200), st.integers(1, 100), st.floats(0.01, 100), st.integers(0, 5))
def test_sorted_from_zero_and_prefixes_agree(process, few, more, rate, seed):
    short = process.times(few, rate, np.random.default_rng(seed))
    long = process.times(few + more, rate, np.random.default_rng(seed))
    assert short.shape == (few,)
    assert short[0] == 0
    assert np.all(np.diff(long) >= 0)
    np.testing.assert_array_equal(short, long[:few])


@pytest.mark.parametrize(
    ("process", "cv"),
    [(Poisson(), 1.0), (Gamma(3.0), 3.0), (Gamma(0.3), 0.3), (Periodic(), 0.0), (OnOff(5, 0), 1.0)],
)
def test_rate_and_variation(process, cv):
    times = process.times(200_000, 8.0, np.random.default_rng(3))
    assert len(times) / times[-1] == pytest.approx(8, rel=0.03)
    assert cv_of_gaps(times) == pytest.approx(cv, rel=0.03, abs=1e-6)


def test_bursts_keep_the_rate_and_leave_gaps():
    times = OnOff(on_s=2, off_s=8).times(200_000, 5.0, np.random.default_rng(0))
    assert len(times) / times[-1] == pytest.approx(5, rel=0.05)
    gaps = np.diff(times)
    # While on, requests come at 25 per second; one gap in 2 s · 25/s + 1 spans an idle time.
    assert np.mean(gaps > 1) == pytest.approx(np.exp(-1 / 8) / 51, rel=0.1)


def test_periodic_batches():
    assert Periodic(2).times(5, 4.0, np.random.default_rng(0)).tolist() == [0, 0, 0.5, 0.5, 1.0]


def test_replay_stretches_to_the_rate():
    replay = Replay(np.array([10.0, 11, 14]))
    assert replay.rate == 0.5
    assert replay.times(3, 1.0, np.random.default_rng(0)).tolist() == [0, 0.5, 2]
    with pytest.raises(InputError, match="4 requests wanted, 3 recorded"):
        replay.times(4, 1.0, np.random.default_rng(0))


@pytest.mark.parametrize(
    "bad", [lambda: Gamma(0), lambda: OnOff(0, 1), lambda: Periodic(0), lambda: Replay(np.zeros(3))]
)
def test_impossible_processes_are_refused(bad):
    with pytest.raises(InputError):
        bad()
