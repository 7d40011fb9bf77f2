"""The staggered pipeline: its formula against a round-by-round count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.policy.pipeline import pipeline_peak, pipeline_start, pipeline_width


@pytest.mark.parametrize(
    ("s", "tau", "k", "peak"),
    [
        (2, 3, 1, 5), (2, 3, 2, 9), (2, 3, 3, 12), (2, 3, 4, 17), (0, 1, 5, 5), (1, 4, 6, 22),
        (79, 64, 37, 4157), (79, 256, 8, 1784), (96, 160, 1, 256), (96, 160, 2, 432),
    ],
)  # fmt: skip
def test_peak(s, tau, k, peak):
    assert pipeline_peak(s, tau, k) == peak


@pytest.mark.parametrize(
    ("s", "tau", "capacity", "k"),
    [
        (2, 3, 12, 3), (2, 3, 11, 2), (1, 4, 8, 2), (79, 64, 4096, 36), (79, 256, 4096, 19),
        (79, 256, 8192, 38), (79, 1, 4096, 51), (96, 160, 256, 1), (96, 1, 256, 2),
        (96, 161, 256, 0), (0, 16, 16, 1),
    ],
)  # fmt: skip
def test_width(s, tau, capacity, k):
    assert pipeline_width(s, tau, capacity) == k


def test_starts():
    assert [pipeline_start(j, 3, 2) for j in range(5)] == [0, 1, 3, 4, 6]
    assert [pipeline_start(j, 2, 5) for j in range(6)] == [0, 0, 0, 1, 1, 2]


@given(st.integers(0, 6), st.integers(1, 14), st.integers(1, 20))
def test_peak_is_what_the_rounds_add_up_to(s, tau, k):
    starts = [pipeline_start(j, tau, k) for j in range(5 * k)]
    usage = [sum(s + t - b for b in starts if b < t <= b + tau) for t in range(1, 4 * tau + 1)]
    assert max(usage) == pipeline_peak(s, tau, k)


@given(st.integers(0, 100), st.integers(1, 200), st.integers(1, 5000))
def test_width_is_the_largest_that_fits(s, tau, capacity):
    k = pipeline_width(s, tau, capacity)
    assert k == 0 or pipeline_peak(s, tau, k) <= capacity
    assert pipeline_peak(s, tau, k + 1) > capacity or (k == 0 and s + tau > capacity)
    assert (k == 0) == (s + tau > capacity)
