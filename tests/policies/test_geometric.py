"""The geometric family: hand-solved runs, its certificates, and the promise that nobody is delayed."""

import numpy as np
import pytest
from hypothesis import given, settings

from plimsoll.bounds.adversary import two_point
from plimsoll.bounds.certificate import Certificate
from plimsoll.bounds.certify import certify
from plimsoll.errors import InputError
from plimsoll.policies.geometric import Gba, GbaD, Gsa, GsaD, slices
from plimsoll.policies.speculative import GsaSpec
from plimsoll.policy.pipeline import pipeline_width

from .burst import bursts, run, usage

SMALL = [(1, 3), (1, 1), (1, 2), (1, 5)]
TRAP = two_point()
PAIRS = list(zip(TRAP.prompt.tolist(), TRAP.output.tolist(), strict=True))
POLICIES = [
    Gsa(),
    Gsa(1.7676, 1),
    Gsa(2, 5),
    GsaD(),
    GsaD(3, 2),
    GsaSpec(2, 1),
    GsaSpec(2, 4),
    Gba(),
    Gba(4 / 3),
    GbaD(),
]


def test_slicing_by_hand():
    assert slices(1, 8, 2, 1) == [1, 2, 4, 7]
    assert [pipeline_width(1, tau, 8) for tau in (1, 2, 4, 7)] == [4, 3, 2, 1]
    assert run("gsa", SMALL, 8).finish.tolist() == [7, 1, 3, 15]


def test_batching_by_hand():
    assert run("gba", SMALL, 8).finish.tolist() == [6, 1, 3, 11]
    assert run("gba-d", SMALL, 8).finish.sum() == 12  # the optimum


@pytest.mark.parametrize(("policy", "total"), [("gsa", 22262), ("gba", 13448), ("mc-sf", 13448)])
def test_two_point_trap(policy, total):
    assert run(policy, PAIRS, 256).finish.sum() == total


def test_two_point_trap_short_first():
    assert run("gsa", PAIRS[::-1], 256).finish.sum() == 21680


def test_slices_that_repeat_are_skipped_and_the_last_always_suffices():
    assert slices(96, 256, 1.2, 1)[:6] == [1, 2, 3, 4, 5, 6]
    assert slices(96, 256, 2, 500) == [160]
    assert slices(0, 1, 2, 1) == [1]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@settings(max_examples=40, deadline=None)
@given(bursts(equal=True))
def test_certificates_hold_and_memory_is_never_exceeded(policy, instance):
    capacity, requests = instance
    result = run(policy, requests, capacity)
    assert result.status == "ok" and result.completed == len(requests)
    assert max(usage(result)) == result.peak_tokens <= capacity
    assert [c for c in certify(policy, result) if not c.holds] == []


@settings(max_examples=60, deadline=None)
@given(bursts(equal=True))
def test_the_compressed_forms_delay_nobody(instance):
    capacity, requests = instance
    for plain, early in ((Gsa(), GsaD()), (Gsa(2, 3), GsaD(2, 3)), (Gba(), GbaD()), (Gba(2, 2), GbaD(2, 2))):
        assert np.all(run(early, requests, capacity).finish <= run(plain, requests, capacity).finish)


@settings(max_examples=40, deadline=None)
@given(bursts(equal=True))
def test_speculation_never_costs_in_total_against_its_bound(instance):
    capacity, requests = instance
    for c in certify(Gsa(2, 4), run(GsaSpec(2, 4), requests, capacity)):
        assert isinstance(c, Certificate) and c.holds


@settings(max_examples=60, deadline=None)
@given(bursts(equal=True, most=12))
def test_wrong_predictions_lose_nobody(instance):
    capacity, requests = instance
    for policy in ("gba", "gba-d", "gba:growth=3,first=2"):
        result = run(policy, requests, capacity, predictor="noisy:0.8", seed=3)
        assert result.completed == len(requests) and result.peak_tokens <= capacity


@pytest.mark.parametrize("policy", ["gsa", "gsa-d", "gsa-spec", "gba", "gba-d"])
def test_what_it_cannot_take_is_one_line(policy):
    with pytest.raises(InputError, match=r"needs equal prompts, but they range from 1 to 2 tokens"):
        run(policy, [(1, 1), (2, 1)], 8)
    with pytest.raises(InputError, match="needs all requests at one time"):
        run(policy, [(0, 1, 1), (3, 1, 1)], 8)
    with pytest.raises(InputError, match="growth must be in"):
        run(f"{policy}:growth=1", SMALL, 8)


@pytest.mark.parametrize("policy", ["gsa", "gsa-d:first=2", "gsa-spec:first=2", "gba", "gba-d"])
@settings(max_examples=10, deadline=None)
@given(bursts(equal=True, most=8))
def test_plain_python_agrees(policy, instance):
    capacity, requests = instance
    assert np.array_equal(
        run(policy, requests, capacity).finish, run(policy, requests, capacity, compiled=False).finish
    )
