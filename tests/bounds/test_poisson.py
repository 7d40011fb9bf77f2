"""The theorems of smallest volume first under Poisson arrivals, as numbers."""

import pytest

from plimsoll.bounds.poisson import poisson_ratio


def test_the_worked_example():
    """Mean output and mean prompt 50, requests at most a tenth of 20,000 tokens, 0.3 arrivals a round, threshold 50."""
    told = poisson_ratio(rate=0.3, stop=0.02, mean_prompt=50, share=0.1, capacity=20_000, theta=50)
    assert told.mean_volume == pytest.approx(5000)
    assert told.load == pytest.approx(1 / 6)
    assert told.residual == pytest.approx(112_500)
    assert (told.opt_area, told.opt_processing) == pytest.approx((5.5125, 50))
    assert (told.svf, told.one_bit) == pytest.approx((3.721088, 3.96418), abs=1e-5)
