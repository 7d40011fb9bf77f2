"""A_max, A_min and flow control."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.policies.flow import steady_memory
from plimsoll.predict.error import Exact

from .burst import bursts, run


class Between:
    """Believes each output to lie between its own bounds."""

    def __init__(self, lower, upper):
        self.lower, self.upper = np.array(lower, float), np.array(upper, float)

    def plan(self, trace, rng):
        return Exact().plan(trace, rng)._replace(lower=self.lower, upper=self.upper)


def test_a_max_plans_for_the_longest():
    # 1 + 5 twice does not fit 10 tokens: one after the other, although both are short
    wide = run("a-max", [(1, 2), (1, 2)], 10, predictor=Between([2, 2], [5, 5]))
    assert wide.start.tolist() == [0, 2]
    assert run("a-max", [(1, 2), (1, 2)], 10).start.tolist() == [0, 0]


def test_a_max_needs_an_upper_bound():
    with pytest.raises(InputError, match="a-max needs an upper bound"):
        run("a-max", [(1, 2)], 10, predictor=Between([1], [np.inf]))


def test_a_min_evicts_the_smallest_estimate_and_learns_from_it():
    # both are believed to take one token and take five; at 3 they overflow 8 tokens and request 0 goes (ties by id),
    # known to need 4. It fits beside a request believed to end at once, and goes again at 4 for the same reason.
    result = run("a-min", [(1, 5), (1, 5)], 8, predictor=Between([1, 1], [5, 5]))
    assert result.evictions.tolist() == [2, 0]
    assert result.predicted.tolist() == [4, 1]
    assert result.finish.tolist() == [9, 5]


@settings(max_examples=60, deadline=None)
@given(bursts(most=12), st.integers(1, 4), st.integers(0, 9))
def test_intervals_lose_nobody(instance, below, above):
    capacity, requests = instance
    output = np.array([o for _, o in requests])
    predictor = Between(np.maximum(1, output // below), output + above)
    for policy in ("a-max", "a-min"):
        result = run(policy, requests, capacity, predictor=predictor)
        assert result.completed == len(requests) and result.peak_tokens <= capacity
    assert run("a-max", requests, capacity, predictor=predictor).evictions.sum() == 0


def test_the_published_budget():
    assert steady_memory([10, 10, 10], [20, 40, 60], 4) == 16_240


def test_a_budget_spreads_starts_over_rounds():
    result = run("flow-control:budget=0.5,known=0", [(1, 2)] * 4, 20)
    assert np.diff(np.sort(result.start)).tolist() == [2, 2, 2]


def test_each_class_has_its_own_budget():
    rows = [(1, 1)] * 3 + [(1, 8)] * 3
    result = run("flow-control:budget=1", rows, 60)
    assert sorted(result.start[:3]) == sorted(result.start[3:]) == [0, 1, 2]


def test_memory_settles_where_the_budgets_say():
    # one request of (3, 4) a round: 22 tokens in steady state
    rows = [(t, 3, 4) for t in range(40)]
    result = run("flow-control:budget=1", rows, 40)
    assert result.peak_tokens == steady_memory([3], [4], 1) == 22


@settings(max_examples=60, deadline=None)
@given(bursts())
def test_flow_control_loses_nobody(instance):
    capacity, requests = instance
    for policy in ("flow-control", "flow-control:known=0"):
        assert run(policy, requests, capacity, predictor="noisy:0.5").completed == len(requests)


def test_a_budget_too_large_says_what_is_feasible():
    with pytest.raises(InputError, match=r"needs 44 tokens of 22; feasible up to 0\.5"):
        run("flow-control:budget=1", [(1, 8)], 22)
