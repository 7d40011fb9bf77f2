"""Branches that take turns: hand-solved runs and the bounds of every branch."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plimsoll.bounds.certify import certify
from plimsoll.errors import InputError
from plimsoll.policies.route import ClairvoyantMix, RectMix, Route

from .burst import bursts, run, usage


@pytest.mark.parametrize(
    ("requests", "finish"),
    [
        ([(2, 2), (1, 5), (6, 3)], [12, 73, 43]),
        ([(2, 1), (1, 1), (6, 1), (3, 4)], [1, 1, 3, 33]),
    ],
)
def test_route_by_hand(requests, finish):
    assert run("route", requests, 16).finish.tolist() == finish
    assert run("route-online", requests, 16).finish.tolist() == finish


def test_a_request_changes_branch_after_as_many_tokens_as_its_prompt():
    # prompt 1: one round in the first branch certifies it; its next attempt is in the second branch of stage 0
    attempts = run("route", [(2, 2), (1, 5), (6, 3)], 16).attempts
    assert [row[1:3] for row in attempts.tolist() if row[0] == 1][:2] == [[0, 1], [1, 2]]


def test_without_a_prompt_there_is_nothing_to_certify():
    assert run("route", [(0, 1)], 16).finish.tolist() == [2]


def test_skipping_idle_turns_by_hand():
    # stage 0: branch 1 in round 1 finishes both small ones, branch 2 is empty, branch 3 runs the large one in round 2
    assert run("route:idle=1", [(2, 1), (1, 1), (6, 1)], 16).finish.tolist() == [1, 1, 2]


@settings(max_examples=40, deadline=None)
@given(bursts())
def test_route_keeps_its_bounds(instance):
    capacity, requests = instance
    result = run("route", requests, capacity)
    assert result.completed == len(requests)
    assert max(usage(result)) == result.peak_tokens <= capacity
    assert [c for c in certify(Route(), result) if not c.holds] == []


@settings(max_examples=40, deadline=None)
@given(bursts())
def test_skipping_idle_turns_loses_nobody(instance):
    capacity, requests = instance
    result = run("route:idle=1", requests, capacity)
    assert result.completed == len(requests) and max(usage(result)) <= capacity


@settings(max_examples=40, deadline=None)
@given(bursts(), st.lists(st.integers(0, 60), min_size=24, max_size=24))
def test_online_requests_wait_for_the_next_stage(instance, arrivals):
    capacity, requests = instance
    rows = sorted((a, *row) for a, row in zip(arrivals, requests, strict=False))
    for policy in ("route-online", "route-online:idle=1"):
        result = run(policy, rows, capacity)
        assert result.completed == len(rows) and max(usage(result)) <= capacity
        assert np.all(result.start >= result.arrival)


@settings(max_examples=40, deadline=None)
@given(bursts())
def test_rect_mix_keeps_its_bounds(instance):
    capacity, requests = instance
    longest = max(o for _, o in requests)
    assume(all(s + longest <= capacity for s, _ in requests))
    policy = RectMix(longest)
    result = run(policy, requests, capacity)
    assert max(usage(result)) == result.peak_tokens <= capacity
    assert [c for c in certify(policy, result) if not c.holds] == []


@settings(max_examples=40, deadline=None)
@given(bursts())
def test_rect_mix_survives_outgrown_widths(instance):
    capacity, requests = instance
    result = run("rect-mix", requests, capacity)
    assert result.completed == len(requests) and max(usage(result)) <= capacity


@settings(max_examples=60, deadline=None)
@given(bursts())
def test_clairvoyant_mix_keeps_its_bounds(instance):
    capacity, requests = instance
    result = run("clairvoyant-mix", requests, capacity)
    assert max(usage(result)) == result.peak_tokens <= capacity
    assert [c for c in certify(ClairvoyantMix(), result) if not c.holds] == []


@pytest.mark.parametrize("policy", ["route", "rect-mix", "clairvoyant-mix"])
def test_arrivals_over_time_are_refused(policy):
    with pytest.raises(InputError, match=f"{policy} needs all requests at one time"):
        run(policy, [(0, 1, 1), (3, 1, 1)], 8)


@pytest.mark.parametrize("policy", ["route", "route:idle=1", "route-online", "rect-mix", "clairvoyant-mix"])
@settings(max_examples=10, deadline=None)
@given(bursts(most=8))
def test_plain_python_agrees(policy, instance):
    capacity, requests = instance
    assert np.array_equal(
        run(policy, requests, capacity).finish, run(policy, requests, capacity, compiled=False).finish
    )
