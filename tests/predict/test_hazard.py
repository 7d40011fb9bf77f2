"""The learning curve: Kaplan–Meier by hand, unbiased under censoring, forgetting."""

import numpy as np
import pytest

from plimsoll.predict.hazard import bucket_of, censor, mean_of, observe, quantile_of, renew, start_curve
from plimsoll.predict.survival import GRID, ONE, POINTS, empirical

FOREVER = 1e12


def curve(finished: list[float], running: list[float], half_life: float = FOREVER, trust: float = 0.0) -> np.ndarray:
    deaths, clock, reached, out = np.zeros((1, POINTS)), np.ones(1), np.zeros(POINTS), np.empty(POINTS)
    for ratio in finished:
        observe(deaths, clock, 0, ratio, half_life)
    for ratio in running:
        censor(reached, ratio)
    renew(out, deaths[0], clock[0], reached, start_curve(1.0, 1.0, 1.0), trust)
    return out


def test_without_censoring_it_is_the_empirical_curve() -> None:
    outputs = [3, 8, 8, 20, 64]
    expected = empirical(np.array(outputs), np.full(5, 16), np.zeros(5, np.int64), 1)[0]
    assert curve([output / 16 for output in outputs], []) == pytest.approx(expected)


def test_kaplan_meier_by_hand() -> None:
    # finish at 0.5 and 2, running at 1: S = 2/3 after 0.5, then 2/3 · 0/1 after 2
    seen = curve([0.5, 2.0], [1.0])
    assert seen[GRID < 0.5] == pytest.approx(1.0)
    assert seen[(GRID >= 0.5) & (GRID < 2)] == pytest.approx(2 / 3)
    assert seen[GRID >= 2] == pytest.approx(0.0)


def test_nothing_seen_leaves_the_prior() -> None:
    assert curve([], [], trust=1.0) == pytest.approx(start_curve(1.0, 1.0, 1.0))


def test_censoring_does_not_bias() -> None:
    rng = np.random.default_rng(2)
    length, cut = rng.lognormal(0, 1, 20_000), rng.lognormal(0, 1, 20_000)
    seen = curve(length[length <= cut].tolist(), cut[length > cut].tolist())
    exact = np.array([np.mean(length > ratio) for ratio in GRID])
    naive = curve(length[length <= cut].tolist(), [])
    middle = GRID < 4
    assert np.abs(seen - exact)[middle].max() < 0.02
    assert np.abs(naive - exact)[middle].max() > 0.15


def test_it_forgets() -> None:
    seen = curve([0.5] * 1000 + [2.0] * 30, [], half_life=10)
    assert seen[ONE] == pytest.approx(1 - 2.0**-3, abs=1e-3)


def test_weights_never_overflow() -> None:
    assert np.all(np.isfinite(curve([0.5, 2.0] * 3000, [], half_life=1.0)))


def test_mean_and_quantile_of_a_curve() -> None:
    rng = np.random.default_rng(3)
    ratios = rng.lognormal(0, 0.5, 5000)
    seen = curve(ratios.tolist(), [])
    assert mean_of(seen) == pytest.approx(ratios.mean(), rel=0.02)
    for share in (0.1, 0.5, 0.9):
        assert quantile_of(seen, share) == pytest.approx(np.quantile(ratios, share), rel=0.05)


def test_prompt_buckets() -> None:
    assert [bucket_of(prompt, 4) for prompt in (0, 1, 3, 4, 15, 16, 64, 10**6)] == [0, 0, 0, 1, 1, 2, 3, 3]
