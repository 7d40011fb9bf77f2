"""Laws of lengths are what their names say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.workload import Fixed, Geometric, Lognormal, Mixture, Quantiles, Uniform

U = (np.arange(200_000) + 0.5) / 200_000
laws = st.one_of(
    st.builds(Fixed, st.integers(1, 10**6)),
    st.tuples(st.integers(1, 1000), st.integers(0, 1000)).map(lambda pair: Uniform(pair[0], sum(pair))),
    st.builds(Geometric, st.floats(1, 1000)),
    st.builds(Lognormal, st.floats(-2, 20), st.floats(0, 5)),
    st.builds(Quantiles.of, st.lists(st.integers(0, 10**5), min_size=1, max_size=30)),
)


@settings(deadline=None)
@given(laws, st.lists(st.floats(1e-12, 1 - 1e-12), min_size=1, max_size=20).map(sorted))
def test_quantiles_rise_and_are_at_least_one_token(law, u):
    tokens = law.quantile(np.array(u))
    assert tokens.dtype == np.int64
    assert tokens[0] >= 1
    assert np.all(np.diff(tokens) >= 0)


def test_fixed_and_uniform():
    assert Fixed(7).quantile(U).mean() == 7
    values, counts = np.unique(Uniform(2, 5).quantile(U), return_counts=True)
    assert values.tolist() == [2, 3, 4, 5]
    assert counts.tolist() == [50_000] * 4


def test_geometric_has_its_mean_and_forgets():
    tokens = Geometric(20).quantile(U)
    assert tokens.mean() == pytest.approx(20, rel=1e-3)
    past = tokens[tokens > 30] - 30
    assert past.mean() == pytest.approx(20, rel=1e-2)
    assert Geometric(1).quantile(U).max() == 1


def test_lognormal_has_its_median_and_mean():
    tokens = Lognormal(np.log(450), 1.0).quantile(U)
    assert np.median(tokens) == 450
    assert tokens.mean() == pytest.approx(450 * np.exp(0.5), rel=2e-3)
    assert Lognormal(6, 3, low=10, high=1000).quantile(U).min() == 10
    assert Lognormal(6, 3, low=10, high=1000).quantile(U).max() == 1000


def test_a_table_gives_back_what_it_was_made_of():
    lengths = np.random.default_rng(0).lognormal(6, 1, 50_000)
    tokens = Quantiles.of(lengths).quantile(U)
    assert tokens.mean() == pytest.approx(lengths.mean(), rel=0.01)
    for p in (50, 90, 99):
        assert np.percentile(tokens, p) == pytest.approx(np.percentile(lengths, p), rel=0.01)


def test_a_mixture_has_its_share_of_outliers():
    tokens = Mixture(Uniform(1, 10), Fixed(30_000), 0.01).quantile(U)
    assert np.count_nonzero(tokens == 30_000) == 2000
    assert tokens[tokens < 30_000].mean() == pytest.approx(5.5, rel=1e-3)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Fixed(0),
        lambda: Uniform(0, 5),
        lambda: Uniform(6, 5),
        lambda: Geometric(0.5),
        lambda: Lognormal(float("nan"), 1),
        lambda: Lognormal(1, -1),
        lambda: Lognormal(1, 1, low=5, high=4),
        lambda: Quantiles((0, 1), (1,)),
        lambda: Quantiles((0, 0.5), (1, 2)),
        lambda: Quantiles((0, 1), (2, 1)),
        lambda: Mixture(Fixed(1), Fixed(2), 0),
    ],
)
def test_impossible_laws_are_refused(bad):
    with pytest.raises(InputError):
        bad()
