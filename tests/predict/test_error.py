"""Error models: the stated law, the stated bounds, the same numbers for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.predict import load_predictor
from plimsoll.predict.survival import GRID, empirical
from plimsoll.trace import Trace

WORDS = [
    "exact",
    "noisy:0.5",
    "lognormal:0.7",
    "upper:2",
    "interval:0.6",
    "one-bit:100",
    "one-bit:100,flip=0.2",
    "one-bit:proxy=burst",
    "one-bit:proxy=poisson",
    "classes:5",
    "classes:4",
    "rank:0.6",
    "constant",
    "constant:64",
    "max_tokens:2048",
]


def trace(n: int = 20_000) -> Trace:
    rng = np.random.default_rng(7)
    output = np.maximum(1, rng.lognormal(5, 1, n)).astype(np.int64)
    return Trace(np.arange(n, dtype=float), rng.integers(1, 500, n), output)


@pytest.mark.parametrize("words", WORDS)
def test_a_belief_is_well_formed_and_repeats(words: str) -> None:
    requests = trace()
    first, second = (load_predictor(words).plan(requests, np.random.default_rng(1)) for _ in range(2))
    assert first.kind.dtype == np.int64
    assert first.predicted.min() >= 1
    assert first.survival.shape[1] == len(GRID)
    assert 0 <= first.kind.min() <= first.kind.max() < len(first.survival)
    assert np.all(np.diff(first.survival, axis=1) <= 0)
    assert first.survival.max() <= 1
    assert first.survival.min() >= 0
    for one, other in zip(first, second, strict=True):
        assert (one is None and other is None) or np.array_equal(one, other)


@pytest.mark.parametrize("words", WORDS)
def test_the_law_is_the_law_of_the_errors(words: str) -> None:
    requests = trace()
    requests = Trace(requests.arrival, requests.prompt, requests.output + 200)  # rounding is then negligible
    belief = load_predictor(words).plan(requests, np.random.default_rng(2))
    scale = belief.predicted if belief.scale is None else belief.scale
    seen = empirical(requests.output, scale, belief.kind, len(belief.survival))
    inside = np.abs(GRID - 1) > 0.01
    common = np.bincount(belief.kind, minlength=len(seen)) > 500
    assert np.abs(seen - belief.survival)[common][:, inside].max() < (0.05 if words.startswith("log") else 0.02)


def test_who_is_said_to_be_long_is_on_average_shorter() -> None:
    """Lognormal lengths of deviation 1 and errors of deviation 0.7: κ = 1/1.49 of what was said counts."""
    requests = trace()
    belief = load_predictor("lognormal:0.7").plan(requests, np.random.default_rng(1))
    assert belief.scale is not None
    late = slice(5000, None)
    error = np.log(belief.scale / requests.output)[late]
    assert error.std() == pytest.approx(0.7 / np.sqrt(1.49), abs=0.02) and abs(error.mean()) < 0.02
    longest = np.argsort(belief.predicted[late])[-500:]
    assert abs(error[longest].mean()) < 0.1 < np.log(belief.predicted / requests.output)[late][longest].mean()


def test_nothing_that_is_said_later_changes_what_is_believed() -> None:
    requests = trace(300)
    changed = requests.output.copy()
    changed[200:] *= 7
    first, second = (
        load_predictor("lognormal:0.7").plan(Trace(requests.arrival, requests.prompt, output), np.random.default_rng(1))
        for output in (requests.output, changed)
    )
    assert first.scale is not None and second.scale is not None
    assert np.array_equal(first.scale[:200], second.scale[:200]) and np.array_equal(first.kind[:200], second.kind[:200])
    assert not np.array_equal(first.scale[200:], second.scale[200:])


@pytest.mark.parametrize("words", ["lognormal:0", "lognormal:10"])
def test_a_law_for_one_request_and_for_equal_ones(words: str) -> None:
    for outputs in ([1], [40] * 30):
        belief = load_predictor(words).plan(Trace.of([(0, 1, o) for o in outputs]), np.random.default_rng(1))
        assert belief.scale is not None and np.all(belief.scale > 0) and np.all(np.isfinite(belief.scale))


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20), st.floats(1, 5), st.floats(0, 1.9))
def test_bounds_hold(outputs: list[int], alpha: float, width: float) -> None:
    requests = Trace.of([(0, 1, output) for output in outputs])
    upper = load_predictor(f"upper:{alpha}").plan(requests, np.random.default_rng(3))
    assert np.all(requests.output <= upper.predicted)
    assert np.all(upper.predicted <= alpha * requests.output + 1e-6)
    interval = load_predictor(f"interval:{width}").plan(requests, np.random.default_rng(3))
    for belief in (upper, interval):
        assert belief.lower is not None
        assert belief.upper is not None
        assert np.all((belief.lower >= 1) & (belief.lower <= requests.output))
        assert np.all(belief.upper >= requests.output)
        assert np.all((belief.lower <= belief.predicted) & (belief.predicted <= belief.upper))


def test_noisy_stays_within_epsilon() -> None:
    requests = trace()
    predicted = load_predictor("noisy:0.2").plan(requests, np.random.default_rng(4)).predicted
    assert np.all(np.abs(predicted - requests.output) <= 0.2 * requests.output + 0.5)
    assert np.array_equal(load_predictor("noisy:0").plan(requests, np.random.default_rng(4)).predicted, requests.output)


def test_exact_is_a_step_at_one() -> None:
    belief = load_predictor("exact").plan(Trace.of([(0, 3, 7), (1, 2, 1)]), np.random.default_rng(0))
    assert belief.predicted.tolist() == [7, 1]
    assert np.array_equal(belief.survival[0], GRID < 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nosy:1", "predictor nosy: unknown"),
        ("noisy:1.5", r"predictor noisy: epsilon must be in \[0, 1\), not 1.5"),
        ("noisy:much", "epsilon must be a number, not 'much'"),
        ("noisy:nan", "epsilon must be in"),
        ("noisy:0.1,0.2", "no parameter .*; it has epsilon"),
        ("noisy:eps=0.1", "no parameter '?eps'?; it has epsilon"),
        ("exact:3", "no parameter .*; it has none"),
        ("upper:0.5", "alpha must be at least 1"),
        ("interval:2", "width must be in"),
        ("lognormal:-1", "sigma must be in"),
        ("one-bit:4,flip=2", "flip must be in"),
        ("one-bit:proxy=mean", "proxy must be means, burst or poisson"),
        ("classes:1", "k must be in"),
        ("classes:2,rho=0.9", "rho must be in"),
        ("classes:4,means=published", "k must be 5"),
        ("classes:2,rho=0.5,confusion=nowhere.csv", "nowhere.csv: no such file"),
        ("rank:2", "rho must be in"),
        ("constant:-3", "tokens must be at least 1"),
        ("max_tokens", "no column max_tokens"),
        ("nowhere.py:Mine", "nowhere.py: no such file"),
    ],
)
def test_bad_words_are_one_clear_line(words: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_predictor(words).plan(Trace.of([(0, 1, 5), (0, 1, 9)]), np.random.default_rng(0))
    assert "\n" not in str(caught.value)
