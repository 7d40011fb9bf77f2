"""PackAndSchedule and Sorted-F."""

import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

from plimsoll.bounds.certify import certify
from plimsoll.errors import InputError
from plimsoll.policies import packing
from plimsoll.policies.packing import PackAndSchedule, exact_order, fits_together, greedy_order, relaxed_starts

from .burst import bursts, run, usage

JOBS = [(1, 1), (1, 1), (6, 2), (2, 4)]


def test_sorted_f_by_hand():
    # batches {0, 1} with F = 1/2, {2} with F = 2, {3} with F = 4
    prompt, output = (np.array(side) for side in zip(*JOBS, strict=True))
    assert exact_order(prompt, output, 10).tolist() == [0, 1, 2, 3]
    for policy in ("sorted-f", "sorted-f:exact=0", "sorted-f:exact=0,swap=0"):
        assert run(policy, JOBS, 10).finish.tolist() == [1, 1, 3, 7]


def slow_order(prompt, output, capacity):
    """Sorted-F's batches from the definition."""
    left, order = list(range(len(output))), []
    while left:
        fitting = [
            batch
            for size in range(1, len(left) + 1)
            for batch in combinations(left, size)
            if all(sum(prompt[i] + t for i in batch if output[i] >= t) <= capacity for t in range(1, capacity + 1))
        ]
        best = min(fitting, key=lambda b: (sum(output[i] for i in b) / len(b) ** 2, -len(b), b))
        order += sorted(best, key=lambda i: (output[i], i))
        left = [i for i in left if i not in best]
    return order


@settings(max_examples=60, deadline=None)
@given(bursts(most=6))
def test_exact_batches_are_those_of_the_definition(instance):
    capacity, requests = instance
    prompt, output = (np.array(side) for side in zip(*requests, strict=True))
    assert exact_order(prompt, output, capacity).tolist() == slow_order(prompt, output, capacity)


@settings(max_examples=40, deadline=None)
@given(bursts())
def test_greedy_orders_are_permutations_and_all_finish(instance):
    capacity, requests = instance
    prompt, output = (np.array(side) for side in zip(*requests, strict=True))
    for swap in (False, True):
        order = greedy_order(prompt, output, capacity, swap, np.argsort(output, kind="mergesort"), True)
        assert sorted(order.tolist()) == list(range(len(requests)))
        result = run(f"sorted-f:exact=0,swap={int(swap)}", requests, capacity)
        assert max(usage(result)) <= capacity and result.evictions.sum() == 0


def test_the_relaxation_by_hand():
    # of two requests that take the whole memory for two rounds one has to wait, but half of each may start late
    np.testing.assert_allclose(relaxed_starts(np.array([3, 3]), np.array([2, 2]), 5).sum(), 2)
    assert relaxed_starts(np.array([1, 1]), np.array([2, 2]), 6).tolist() == [0, 0]
    # of JOBS, {0, 1, 3} fit at once and 2 waits: its mean start alone is above 0
    assert run("sorted-f:lp=1,swap=0", JOBS, 10).finish.tolist() == [1, 1, 6, 4]


@settings(max_examples=40, deadline=None)
@given(bursts(most=12))
def test_the_relaxation_is_below_every_schedule_and_its_orders_serve_everyone(instance):
    capacity, requests = instance
    prompt, output = (np.array(side) for side in zip(*requests, strict=True))
    relaxed = relaxed_starts(prompt, output, capacity).sum()
    for policy in ("sorted-f:lp=1,swap=0", "sorted-f:lp=1", "svf"):
        result = run(policy, requests, capacity)
        assert result.completed == len(requests) and result.peak_tokens <= capacity
        assert relaxed <= result.start.sum() + 1e-6


def test_a_coarse_grid_keeps_to_the_memory(monkeypatch):
    rng = np.random.default_rng(0)
    prompt, output = rng.integers(1, 30, 40), rng.integers(1, 60, 40)
    fine = relaxed_starts(prompt, output, 100)
    monkeypatch.setattr(packing, "LARGEST", 20_000)
    coarse = relaxed_starts(prompt, output, 100)
    assert np.corrcoef(fine, coarse)[0, 1] > 0.95
    assert coarse.sum() == pytest.approx(fine.sum(), rel=0.1)


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(InputError, match=r"pip install 'plimsoll\[optimum\]'"):
        run("sorted-f:lp=1", JOBS, 10)


@settings(max_examples=40, deadline=None)
@given(bursts(most=6))
def test_fits_together_is_the_count_by_rounds(instance):
    capacity, requests = instance
    requests = sorted(requests, key=lambda row: row[1])
    prompt, output = (np.array(side) for side in zip(*requests, strict=True))
    peak = max(sum(s + t for s, o in requests if o >= t) for t in range(1, capacity + 1))
    assert fits_together(np.arange(len(requests)), len(requests), prompt, output, capacity) == (peak <= capacity)


@settings(max_examples=60, deadline=None)
@given(bursts())
def test_pack_and_schedule_keeps_its_bound(instance):
    capacity, requests = instance
    result = run("pack-and-schedule", requests, capacity)
    assert max(usage(result)) <= capacity and result.evictions.sum() == 0
    assert [c for c in certify(PackAndSchedule(), result) if not c.holds] == []


@pytest.mark.parametrize("policy", ["sorted-f", "pack-and-schedule"])
def test_what_it_cannot_take_is_one_line(policy):
    with pytest.raises(InputError, match=f"{policy} needs all requests at one time"):
        run(policy, [(0, 1, 1), (3, 1, 1)], 8)


@settings(max_examples=60, deadline=None)
@given(bursts(most=10))
def test_wrong_predictions_lose_nobody(instance):
    capacity, requests = instance
    for policy in ("sorted-f", "pack-and-schedule", "clairvoyant-mix"):
        result = run(policy, requests, capacity, predictor="noisy:0.8", seed=3)
        assert result.completed == len(requests) and result.peak_tokens <= capacity
