"""Rect and Response: hand-solved runs and their lemmas."""

import numpy as np
import pytest
from hypothesis import assume, given, settings

from plimsoll.bounds.certify import certify
from plimsoll.errors import InputError
from plimsoll.policies.regime import Rect, Response, response_phases, widths

from .burst import bursts, run, usage


def test_rect_by_hand():
    # widths 20, 20, 40 of 40 and lengths 3, 1, 1: the half-wide two tie for the first turn, then the third
    assert run("rect:longest=3", [(17, 3), (17, 1), (37, 1)], 40).finish.tolist() == [7, 1, 4]


def test_response_by_hand():
    assert response_phases(16, 2)[:4] == [(1, 1, 8), (2, 2, 4), (4, 4, 2), (8, 8, 1)]
    assert run("response", [(1, 5), (2, 3), (1, 2)], 16).finish.tolist() == [14, 9, 4]


def test_the_last_cap_is_the_whole_memory_one_at_a_time():
    assert response_phases(20, 2)[-1] == (20, 0, 1)
    assert all(tau / k <= 3.5 * tau**2 / m for m in range(1, 400) for tau, _, k in response_phases(m, 2))


@pytest.mark.parametrize("policy", [Rect(), Rect(cutoff=0.1), Rect(longest=200)], ids=str)
@settings(max_examples=40, deadline=None)
@given(bursts())
def test_rect_finishes_everything_and_keeps_its_bound_where_no_width_is_outgrown(policy, instance):
    capacity, requests = instance
    result = run(policy, requests, capacity)
    assert result.completed == len(requests)
    assert max(usage(result)) == result.peak_tokens <= capacity
    wide = widths(result.prompt, capacity, policy.cutoff, policy.longest)
    if np.all(result.prompt + result.output <= wide):
        assert [c for c in certify(policy, result) if not c.holds] == []
    else:
        with pytest.raises(InputError, match="outgrow"):
            certify(policy, result)


@settings(max_examples=40, deadline=None)
@given(bursts())
def test_rect_on_the_published_regimes(instance):
    capacity, requests = instance
    large = [(s, o) for s, o in requests if 4 * s > capacity]
    heavy = [(s, min(s, o)) for s, o in requests if 0 < 4 * s <= capacity]
    for regime in (large, heavy):
        if regime:
            found = certify(Rect(), run("rect", regime, capacity))
            assert all(c.holds for c in found) and found[-1].statement == "total ≤ 36 · lower bound"


@settings(max_examples=60, deadline=None)
@given(bursts())
def test_no_budget_that_runs_is_above_one_that_waits(instance):
    """Lemma 4: after the decisions of every instant, and the least that waits never falls."""
    capacity, requests = instance
    regime = [(s, o) for s, o in requests if 4 * s > capacity] or [(s, min(s, o)) for s, o in requests if s > 0]
    assume(regime)
    result = run("rect", regime, capacity)
    wide = widths(result.prompt, capacity, 0.25, 0)
    tries, free = np.zeros(len(wide), int), np.zeros(len(wide))
    spans = []  # (waits from, runs from, until, budget) of every attempt
    for i, start, stop, _ in sorted(result.attempts.tolist(), key=lambda row: row[1]):
        spans.append((free[i], start, stop, wide[i] * 2.0 ** tries[i]))
        tries[i], free[i] = tries[i] + 1, stop
    least = 0.0
    for now in sorted({start for _, start, _, _ in spans}):
        runs = [budget for _, start, stop, budget in spans if start <= now < stop]
        waits = [budget for since, start, _, budget in spans if since <= now < start]
        assert max(runs) <= min(waits, default=np.inf)
        assert least <= min(waits, default=np.inf)
        least = min(waits, default=least)


@settings(max_examples=60, deadline=None)
@given(bursts(longer=True))
def test_response_keeps_its_lemmas(instance):
    capacity, requests = instance
    for policy in (Response(), Response(1.5)):
        result = run(policy, requests, capacity)
        assert max(usage(result)) == result.peak_tokens <= capacity
        assert [c for c in certify(policy, result) if not c.holds] == []


@settings(max_examples=40, deadline=None)
@given(bursts())
def test_response_finishes_whatever_it_is_given(instance):
    capacity, requests = instance
    result = run("response", requests, capacity)
    assert result.completed == len(requests) and max(usage(result)) <= capacity


def test_rect_takes_arrivals_over_time():
    result = run("rect", [(0, 1, 1), (2, 3, 2), (9, 6, 1)], 8)
    assert result.completed == 3 and np.all(result.start >= result.arrival)


def test_response_refuses_arrivals_over_time():
    with pytest.raises(InputError, match="response needs all requests at one time"):
        run("response", [(0, 1, 1), (2, 3, 2)], 8)


@pytest.mark.parametrize("policy", ["rect", "response"])
@settings(max_examples=10, deadline=None)
@given(bursts(most=8))
def test_plain_python_agrees(policy, instance):
    capacity, requests = instance
    assert np.array_equal(
        run(policy, requests, capacity).finish, run(policy, requests, capacity, compiled=False).finish
    )
