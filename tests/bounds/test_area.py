import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.bounds import area
from plimsoll.errors import CapacityError, InputError

from .exhaustive import optimum


def columns(requests):
    return tuple(np.array(c, np.int64) for c in zip(*requests, strict=True))


@st.composite
def instances(draw, most=4, capacity=8, latest=6):
    m = draw(st.integers(3, capacity))
    request = st.integers(0, m - 1).flatmap(
        lambda s: st.tuples(st.integers(0, latest), st.just(s), st.integers(1, min(5, m - s)))
    )
    return draw(st.lists(request, min_size=1, max_size=most)), m


@pytest.mark.shared
@pytest.mark.parametrize("name", ["lower_bounds_A", "lower_bounds_B"])
def test_published_vectors(shared, name):
    vectors = json.loads((shared / "papers" / "vectors.json").read_text())["vectors"]
    vector = next(v for v in vectors if v["name"] == name)
    a, s, o = columns(vector["inputs"]["requests"])
    for part, expected in vector["expected"].items():
        assert getattr(area, part)(a, s, o, vector["inputs"]["M"]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.shared
def test_exhaustive_search_agrees_with_published_optima(shared):
    vectors = json.loads((shared / "papers" / "vectors.json").read_text())["vectors"]
    optima = [v for v in vectors if v["fn"] == "optimal_tel"]
    assert len(optima) >= 3
    for v in optima:
        assert optimum([tuple(r) for r in v["inputs"]["requests"]], v["inputs"]["M"]) == v["expected"]["tel"]


def test_by_hand_two_that_exclude_each_other():
    # vol 9 each, M = 5: finishes 9/5 and 18/5, so at least 2 and 4; the true finishes are 2 and 4.
    a, s, o = columns([(0, 3, 2), (0, 3, 2)])
    assert area.area(a, s, o, 5) == pytest.approx(27 / 5)
    assert area.combined(a, s, o, 5) == 6.0
    assert area.lower_bound(a, s, o, 5) == 6.0 == optimum([(0, 3, 2), (0, 3, 2)], 5)


def test_by_hand_arrival_interrupts_the_larger():
    # In fifths of a round: volume 15 from 0, volume 7 from 10. The first has 5 left at 10 and ends at 15, the
    # second at 22. Alone they finish at 5 and 4: the first finish is at least 4, the second at least 5.
    a, s, o = columns([(0, 0, 5), (2, 2, 2)])
    vol = area.volume(s, o)
    assert vol.tolist() == [15, 7]
    assert area.area(a, s, o, 5) == pytest.approx(15 / 5 + 22 / 5 - 2)
    assert area.combined(a, s, o, 5) == 4 + 5 - 2


@settings(max_examples=300, deadline=None)
@given(instances())
def test_never_above_the_optimum(instance):
    requests, m = instance
    a, s, o = columns(requests)
    best = optimum(requests, m)
    for part in (area.area, area.processing, area.combined, area.mean_busy):
        assert part(a, s, o, m) <= best + 1e-9, part.__name__
    assert area.processing(a, s, o, m) <= area.lower_bound(a, s, o, m) <= best


@settings(max_examples=50, deadline=None)
@given(instances(), st.randoms())
def test_order_of_rows_does_not_matter(instance, random):
    requests, m = instance
    shuffled = list(requests)
    random.shuffle(shuffled)
    assert area.lower_bound(*columns(requests), m) == area.lower_bound(*columns(shuffled), m)


def test_six_requests_against_exhaustive_search():
    rng = np.random.default_rng(5)
    for _ in range(6):
        s = rng.integers(0, 4, 6)
        o = rng.integers(1, 9 - s)
        a = rng.integers(0, 5, 6) * rng.integers(0, 2)
        requests = [(int(x), int(y), int(z)) for x, y, z in zip(a, s, o, strict=True)]
        assert area.lower_bound(a, s, o, 9) <= optimum(requests, 9)


def test_empty_and_bad_input():
    empty = np.array([], np.int64)
    assert area.lower_bound(empty, empty, empty, 10) == 0.0
    with pytest.raises(CapacityError, match=r"row 1: prompt 4 \+ output 2 can never fit a capacity of 5"):
        area.lower_bound([0, 0], [1, 4], [1, 2], 5)
    with pytest.raises(InputError, match="output: must be at least 1; row 0 is 0"):
        area.lower_bound([0], [1], [0], 5)
    with pytest.raises(InputError, match=r"arrival: whole numbers only; row 0 is 0\.5"):
        area.lower_bound([0.5], [1], [1], 5)
