"""The rounds host: hand-solved cases, and agreement with a slow and obvious reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate
from plimsoll.errors import CapacityError
from plimsoll.policy import load_policy
from plimsoll.policy.protocol import evict as newest
from plimsoll.predict import load_predictor

from . import reference

POLICIES = [
    "fcfs",
    "fcfs:recompute=1",
    "fcfs:watermark=0.2",
    "fcfs-reserve",
    "mc-benchmark",
    "mc-sf",
    "mc-sf:skip=1",
    "mc-sf:protect=0.1",
    "sjf",
    "ljf",
    "svf",
    "svf:reserve=1",
    "svf:engine=1",
    "svf:age=2",
    "alpha-protection:0.3",
]


def run(requests, policy, capacity, **more):
    return simulate(Trace.of(requests), policy, rounds(capacity=capacity, rounds_per_s=1), **more)


@st.composite
def instances(draw):
    capacity = draw(st.integers(4, 40))
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 20), st.integers(0, capacity - 1), st.integers(1, capacity)),
            min_size=1,
            max_size=12,
        )
    )
    return capacity, sorted((a, s, min(o, capacity - s)) for a, s, o in rows)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=25, deadline=None)
@given(instances(), st.sampled_from(["exact", "noisy:0.5"]))
def test_agrees_with_the_reference(policy, instance, predictor):
    capacity, requests = instance
    trace = Trace.of(requests)
    believe, _ = np.random.default_rng(7).spawn(2)
    belief = load_predictor(predictor).plan(trace, believe)
    result = run(requests, policy, capacity, predictor=predictor, seed=7)
    start, finish, evictions, usage = reference.schedule(with_evict(load_policy(policy)), trace, capacity, belief)
    if result.status == "unstable":
        assert -1 in finish
        return
    assert result.finish.tolist() == finish
    assert result.start.tolist() == start
    assert result.evictions.tolist() == evictions
    assert result.peak_tokens == max(usage) <= capacity


def with_evict(policy):
    """The policy with the default ``evict`` spelled out, for a host that knows no defaults."""
    if hasattr(type(policy), "evict"):
        return policy
    kind = type(policy)
    return type(kind.__name__, (kind,), {"evict": lambda self, view, out: newest(view, np.zeros(1), out)})(*policy)


def test_equality_with_capacity_is_feasible_and_there_is_no_overlap():
    result = run([(0, 4, 1), (0, 4, 1)], "mc-sf", 5)
    assert result.start.tolist() == [0, 1]
    assert result.finish.tolist() == [1, 2]
    assert result.mean_memory_use == 1.0


def test_clearing_everyone_for_ever_ends_unstable():
    result = run([(0, 1, 6), (0, 1, 6)], "alpha-protection:alpha=0.2", 10)
    assert result.status == "unstable"
    assert result.completed == 0


def test_a_request_that_can_never_fit_is_refused():
    with pytest.raises(CapacityError, match="1 of 2"):
        run([(0, 1, 6), (0, 1, 1)], "svf", 6)
