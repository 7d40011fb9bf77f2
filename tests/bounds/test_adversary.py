"""Hard instances, and a search that finds one."""

import numpy as np
import pytest

from plimsoll import rounds, simulate
from plimsoll.bounds.adversary import (
    Search,
    large_prompts,
    short_outputs,
    square_root,
    two_point,
    worst_instance,
)
from plimsoll.errors import InputError, PolicyError
from plimsoll.trace import Trace


def one_at_a_time(key):
    def play(trace):
        finish, now = np.zeros(len(trace)), 0.0
        for i in sorted(range(len(trace)), key=lambda i: (trace.arrival[i], key(trace, i), i)):
            now = max(now, trace.arrival[i]) + trace.output[i]
            finish[i] = now
        return finish

    return play


FIRST = one_at_a_time(lambda trace, i: i)


@pytest.mark.parametrize(("capacity", "release", "n", "best"), [(64, 59, 33, 155), (256, 247, 129, 631)])
def test_square_root_adversary_of_an_eager_policy(capacity, release, n, best):
    found = square_root(FIRST, capacity)
    assert (found.trace.arrival[1], len(found.trace), found.optimum_at_most) == (release, n, best)


def test_square_root_adversary_waits_for_a_policy_that_waits():
    found = square_root(lambda trace: trace.arrival + 100 + trace.output, 64)
    assert found.trace.arrival[1] == 159
    assert found.optimum_at_most == 63 + 32


@pytest.mark.parametrize(("length", "total", "best"), [(4, 15, 9), (9, 42, 18), (100, 1155, 165)])
def test_large_prompt_trap(length, total, best):
    found = large_prompts(length)
    assert found.capacity == length**3 + 1
    assert found.optimum_at_most == best
    assert FIRST(found.trace).sum() == total


@pytest.mark.parametrize(("length", "narrow", "wide", "best"), [(9, 73, 27, 1278), (100, 9901, 1000, 1590600)])
def test_short_output_trap(length, narrow, wide, best):
    found = short_outputs(length)
    assert int((found.trace.output == length).sum()) == narrow
    assert len(found.trace) == narrow + wide
    assert found.optimum_at_most == best


def test_two_point_trap():
    trace = two_point()
    assert trace.output.tolist() == [160] * 6 + [1] * 194
    assert set(trace.prompt.tolist()) == {96}


def test_search_finds_the_bad_order_and_repeats():
    longest = one_at_a_time(lambda trace, i: -trace.output[i])
    shortest = one_at_a_time(lambda trace, i: trace.output[i])

    def best(trace, capacity):
        return float(shortest(trace).sum())

    search = Search(requests=5, tries=130)
    found = worst_instance(longest, best, search)
    assert found.ratio > 1.5
    assert found.tried == 130
    assert np.all(found.trace.prompt + found.trace.output <= search.capacity)
    again = worst_instance(longest, best, search)
    assert again.ratio == found.ratio
    assert np.array_equal(again.trace.output, found.trace.output)
    assert worst_instance(shortest, best, search).ratio == 1


def test_search_respects_its_limits_and_passes_over_unsettled_runs():
    def play(trace: Trace):
        assert len(trace) <= 3
        assert len(set(trace.prompt.tolist())) == 1
        assert trace.arrival.max() <= 4
        if len(trace) > 1:
            raise PolicyError("does not settle")
        return FIRST(trace)

    found = worst_instance(play, lambda trace, capacity: 1.0, Search(3, 9, 4, equal_prompts=True, tries=100))
    assert len(found.trace) == 1

    def never(trace):
        raise PolicyError("does not settle")

    with pytest.raises(InputError, match="settled on none"):
        worst_instance(never, lambda trace, capacity: 1.0, Search(tries=3))


@pytest.mark.parametrize(
    ("values", "words"), [({"requests": 0}, "requests"), ({"capacity": 1}, "capacity"), ({"tries": 0}, "tries")]
)
def test_bad_searches(values, words):
    with pytest.raises(InputError, match=words):
        Search(**values)
    with pytest.raises(InputError, match="at least 16"):
        square_root(FIRST, 8)


@pytest.mark.parametrize("policy", ["mc-sf", "svf", "fcfs-reserve"])
def test_the_ratio_of_every_eager_policy_grows_with_the_root_of_the_requests(policy):
    ratios = []
    for capacity in (64, 256, 1024):

        def play(trace, capacity=capacity):
            return simulate(trace, policy, rounds(capacity=capacity, rounds_per_s=1)).finish

        found = square_root(play, capacity)
        total = (play(found.trace) - found.trace.arrival).sum()
        ratios.append(total / found.optimum_at_most / np.sqrt(len(found.trace)))
    assert all(0.13 <= ratio <= 0.87 for ratio in ratios)


def test_the_traps_catch_the_rules_they_are_set_for():
    volume_first, shortest_first = large_prompts(100), short_outputs(9)
    for found, policy, total in ((volume_first, "svf", 1155), (shortest_first, "mc-sf", 3006)):
        result = simulate(found.trace, policy, rounds(capacity=found.capacity, rounds_per_s=1))
        assert result.finish.sum() == total > 2 * found.optimum_at_most
