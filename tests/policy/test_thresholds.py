"""Threshold solvers and the memory of Nested WAIT, from hand-solved cases."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.policy.fluid import LinearStep, Types, fluid
from plimsoll.policy.thresholds import (
    Segments,
    check_wait,
    nested_memory,
    nested_thresholds,
    segment_caps,
    tail_rate,
    wait_thresholds,
)

TOY = LinearStep(0.5, 1 / 24)


def test_the_toy_has_one_solution_on_the_edge():
    found = wait_thresholds(Types.of([(4, 1, 1)]), TOY, 12)
    assert found.count.tolist() == [4]
    assert found.memory == 12
    assert found.slack == pytest.approx(1)


def test_a_lower_rate_rounds_up():
    found = wait_thresholds(Types.of([(3, 1, 1)]), TOY, 12)
    assert found.count.tolist() == [3]
    assert found.memory == 9
    assert found.step_s == pytest.approx(0.875)


def test_two_types_at_realistic_units_need_one_each():
    types = Types.of([(0.7 * 22, 512, 20), (0.3 * 22, 512, 50)])
    assert fluid(types, LinearStep()).per_stage == pytest.approx([0.25, 0.11], abs=0.01)
    found = wait_thresholds(types, LinearStep(), 137_000)
    assert found.count.tolist() == [1, 1]
    assert found.memory == 38_349
    assert found.step_s == pytest.approx(0.0341, abs=1e-4)
    assert (found.count / types.rate).tolist() == pytest.approx([0.0649, 0.1515], abs=1e-4)


def test_fractions_where_whole_requests_do_not_fit():
    types = Types.of([(22, 512, 20)])
    with pytest.raises(InputError, match="fractional"):
        wait_thresholds(types, LinearStep(), 6000)
    found = wait_thresholds(types, LinearStep(), 6000, whole=False)
    assert found.count[0] < 1
    assert found.memory <= 6000
    assert found.slack >= 1 - 1e-9


def test_infeasible_load_says_what_would_be_feasible():
    with pytest.raises(InputError, match=r"feasible from 0\.8 of these rates down"):
        wait_thresholds(Types.of([(5, 1, 1)]), TOY, 12)


@given(
    st.lists(st.tuples(st.floats(0.1, 20), st.integers(0, 600), st.integers(1, 80)), min_size=1, max_size=4),
    st.booleans(),
)
def test_solutions_satisfy_the_conditions(rows, whole):
    types, capacity = Types.of(rows), 137_000
    try:
        found = wait_thresholds(types, LinearStep(), capacity, whole=whole)
    except InputError:
        assume(False)
        return
    again = check_wait(types, LinearStep(), found.count)
    assert again.memory <= capacity * (1 + 1e-9)
    assert np.all(again.step_s <= found.count / types.rate * (1 + 1e-9))
    assert fluid(types, LinearStep()).memory <= again.memory * (1 + 1e-9)


@pytest.mark.parametrize(
    ("n", "previous", "p", "theta"),
    [(40, 100, 0.3, 0.8710610886), (4, 8, 0.25, np.log(9)), (12, 20, 0.5, 0.8221632343)],
)
def test_tail_rate(n, previous, p, theta):
    assert tail_rate(n, previous, p) == pytest.approx(theta, abs=1e-8)
    assert theta >= 8 * (n - previous * p) / previous


@given(st.integers(2, 200), st.data())
def test_tail_rate_solves_its_equation_above_its_bound(previous, data):
    n = data.draw(st.integers(1, previous - 1))
    p = data.draw(st.floats(0.01, 0.99))
    assume(n > previous * p * 1.001)
    theta = tail_rate(n, previous, p)
    assert -theta * n + previous * np.log1p(-p + p * np.exp(theta)) == pytest.approx(0, abs=1e-6)
    assert theta >= 8 * (n - previous * p) / previous * (1 - 1e-9)


def test_tail_rate_at_the_edges():
    assert tail_rate(8, 8, 0.5) == np.inf
    with pytest.raises(InputError, match="too small"):
        tail_rate(2, 8, 0.25)
    with pytest.raises(InputError, match="survival"):
        tail_rate(2, 8, 0)


def test_memory_of_two_segments():
    segments = Segments.of(Types.of([(3, 1, 1), (1, 1, 2)]))
    assert segments.survive.tolist() == [1, 0.25]
    assert segments.stages.tolist() == [2, 1]
    found = nested_memory(segments, [8, 4], 10_000, 0.01, 2)
    assert found.base == 36
    assert found.log_term == pytest.approx(14.5087577, abs=1e-6)
    assert found.required == pytest.approx(57.2064404, abs=1e-6)


def test_segments_cover_what_a_request_holds():
    types = Types.of([(2, 10, 20), (1, 30, 50), (1, 5, 80)])
    for cuts in (None, [20], [50]):
        segments = Segments.of(types, cuts)
        assert segments.stages.sum() == 81
        assert segments.prompt[0] == 30
    assert Segments.of(types).prompt.tolist() == [30, 30, 5]
    assert Segments.of(types).survive.tolist() == [1, 0.5, 0.5]


@given(
    st.lists(st.tuples(st.floats(0.1, 9), st.just(64), st.integers(1, 60)), min_size=1, max_size=5),
    st.booleans(),
)
def test_nested_thresholds_satisfy_the_conditions(rows, whole):
    types = Types.of(rows)
    segments, rate = Segments.of(types), float(types.rate.sum())
    try:
        found = nested_thresholds(segments, rate, LinearStep(), whole=whole)
    except InputError:
        assume(False)
        return
    assert found.memory == pytest.approx(float(found.count @ segments.held))
    assert found.step_s < found.count[0] / rate
    assert np.all(found.count[1:] > segments.survive[1:] * found.count[:-1])


def test_caps_of_two_segments():
    first, caps = segment_caps([20, 30], [0.3], 30)
    assert first == pytest.approx(1.0344828, abs=1e-6)
    assert caps == pytest.approx([20.6896552, 9.3103448], abs=1e-6)
    assert np.round(caps).tolist() == [21, 9]
    with pytest.raises(InputError, match="cap on concurrent"):
        segment_caps([20], [], 0)


def test_a_segment_in_which_nobody_finishes_is_refused():
    """Outputs of 2, 3, 4 and 9, cut at 3, 5 and 7: nobody finishes between 5 and 7."""
    types = Types.of([(1.0, 5, 2), (1.0, 5, 3), (1.0, 5, 4), (1.0, 5, 9)])
    with pytest.raises(InputError, match="nobody finishes in segment 3"):
        nested_thresholds(Segments.of(types, [3, 5, 7]), 4.0, LinearStep())
