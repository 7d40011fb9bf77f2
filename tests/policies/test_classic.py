"""The volume, shortest and arrival families: hand-solved schedules and the theorems that they keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate
from plimsoll.bounds import area
from plimsoll.bounds.solve import bound
from plimsoll.errors import InputError
from plimsoll.policy import catalogue, load_policy


def play(requests, policy, capacity, **more):
    return simulate(Trace.of(requests), policy, rounds(capacity=capacity, rounds_per_s=1, **more))


def starts(requests, policy, capacity):
    return play(requests, policy, capacity).start.tolist()


class Doubled:
    """A predictor that says twice the output."""

    def plan(self, trace, rng):
        from plimsoll.predict.error import Exact

        belief = Exact().plan(trace, rng)
        return belief._replace(predicted=2 * trace.output, upper=2 * trace.output)


class Short:
    """A predictor that says one token."""

    def plan(self, trace, rng):
        from plimsoll.predict.error import Exact

        return Exact().plan(trace, rng)._replace(predicted=np.ones(len(trace), np.int64), lower=None, upper=None)


# Instances and totals of Jaillet et al. (2502.07115) and Kong et al. (2606.22327) as recomputed by hand.
@pytest.mark.parametrize(
    ("policy", "capacity", "requests", "expected"),
    [
        ("mc-sf", 5, [(0, 1, 1), (0, 1, 1), (0, 1, 3), (0, 1, 3)], [0, 0, 1, 4]),
        ("mc-sf", 6, [(0, 1, 2), (0, 1, 2), (0, 1, 3), (0, 1, 3)], [0, 0, 2, 4]),
        ("mc-sf", 16, [(0, 2, 2), (0, 2, 3), (0, 2, 3)], [0, 0, 0]),
        ("mc-sf", 5, [(0, 4, 1), (0, 4, 1)], [0, 1]),
        ("mc-sf", 6, [(0, 1, 2), (0, 1, 3), (0, 3, 2)], [0, 4, 2]),
        ("svf", 6, [(0, 1, 2), (0, 1, 3), (0, 3, 2)], [0, 0, 3]),
        ("mc-sf", 6, [(0, 1, 2), (0, 4, 1)], [1, 0]),
        ("svf", 6, [(0, 1, 2), (0, 4, 1)], [0, 2]),
        ("mc-benchmark", 6, [(0, 3, 2), (0, 1, 1)], [0, 0]),
        ("fcfs-reserve", 7, [(0, 3, 2), (1, 2, 1)], [0, 2]),
        ("ljf", 8, [(0, 1, 1), (0, 1, 5)], [0, 0]),
    ],
)
def test_hand_solved_schedules(policy, capacity, requests, expected):
    assert starts(requests, policy, capacity) == expected


@pytest.mark.parametrize(
    ("capacity", "outputs", "shortest", "least"), [(5, (1, 1, 3, 3), 13, 12), (6, (2, 2, 3, 3), 16, 15)]
)
def test_shortest_first_is_not_optimal_even_for_equal_prompts_at_one_time(capacity, outputs, shortest, least):
    """Each is smallest volume first, too. An order that waits with one of the short ones is better."""
    requests = [(0, 1, o) for o in outputs]
    assert [play(requests, policy, capacity).latency.sum() for policy in ("mc-sf", "svf")] == [shortest] * 2
    best = bound(Trace.of(requests), capacity, 600, rounds_per_s=1)
    assert (best.lower, best.upper) == (least, least)


@pytest.mark.parametrize(("capacity", "expected"), [(16, [0, 0, 2]), (12, [0, 0, 3])])
def test_mc_sf_on_twice_the_length_frees_memory_at_the_true_end(capacity, expected):
    requests = Trace.of([(0, 2, 2), (0, 2, 3), (0, 2, 3)])
    result = simulate(requests, "mc-sf", rounds(capacity=capacity, rounds_per_s=1), Doubled())
    assert result.start.tolist() == expected


@pytest.mark.parametrize(("policy", "total"), [("svf", 120), ("mc-sf", 192)])
def test_the_trap_of_large_prompts(policy, total):
    result = play([(0, 1, 4)] * 13 + [(0, 64, 1)] * 8, policy, 65)
    assert result.latency.sum() == total


def test_the_trap_of_area_order():
    result = play([(0, 1, 100)] + [(0, 10**6, 1)] * 10, "svf:reserve=1", 10**6 + 1)
    assert result.latency.sum() == 1155


def test_clear_all_livelocks_every_four_rounds():
    result = play([(0, 1, 6), (0, 1, 6)], "alpha-protection:alpha=0.2", 10, max_rounds=999)
    assert (result.completed, result.more["overflows"], result.status) == (0, 249, "unstable")


@pytest.mark.parametrize(("clear", "taken"), [(0, [1]), (1, [0, 1])])
def test_mc_sf_on_overflow_evicts_the_newest_or_clears_everyone(clear, taken):
    """Two requests believed to make one token make four: round 3 would need 2 · (2 + 3) > 8."""
    host = rounds(capacity=8, rounds_per_s=1)
    result = simulate(Trace.of([(0, 2, 4), (0, 2, 4)]), f"mc-sf:clear={clear}", host, Short())
    ended = result.attempts[result.attempts[:, 2] == 2, 0]
    assert (sorted(ended.tolist()), result.completed) == (taken, 2)


def test_mc_sf_clears_with_a_probability_until_the_rest_fit():
    host = rounds(capacity=40, rounds_per_s=1)
    trace = Trace.of([(0, 2, 9)] * 10)
    runs = [simulate(trace, "mc-sf:clear=0.3", host, Short(), seed) for seed in range(20)]
    assert all(run.completed == 10 and run.peak_tokens <= 40 for run in runs)
    assert len({tuple(run.evictions) for run in runs}) > 1
    with pytest.raises(InputError, match=r"mc-sf: clear must be 0 or in \[0.001, 1\], not 1e-06"):
        simulate(trace, "mc-sf:clear=1e-6", host)


def test_a_large_reserve_serialises_in_place_of_livelock():
    result = play([(0, 1, 6), (0, 1, 6)], "alpha-protection:alpha=0.7", 10)
    assert result.finish.tolist() == [6, 12]


def test_a_prompt_above_the_protected_share_still_runs_alone():
    for policy in ("alpha-protection:0.5", "alpha-beta:0.5,0.5", "mc-sf:protect=0.5", "svf:protect=0.5", "fcfs:0.5"):
        assert play([(0, 8, 2)], policy, 10).finish.tolist() == [2]


def test_a_seeded_run_repeats_bit_for_bit():
    rng = np.random.default_rng(1)
    requests = [(0, int(s), int(o)) for s, o in zip(rng.integers(1, 9, 60), rng.integers(1, 30, 60), strict=True)]
    first, second = (play(requests, "alpha-beta:0.2,0.3", 60) for _ in range(2))
    assert first.finish.tolist() == second.finish.tolist()
    assert first.evictions.sum() > 0


bursts = st.integers(8, 60).flatmap(
    lambda m: st.tuples(
        st.just(m),
        st.lists(
            st.integers(0, m // 2).flatmap(lambda s: st.tuples(st.just(0), st.just(s), st.integers(1, m // 2))),
            min_size=1,
            max_size=25,
        ),
    )
)


@settings(max_examples=300, deadline=None)
@given(bursts, st.sampled_from(["svf", "svf:reserve=1"]))
def test_every_wait_under_svf_is_within_its_theorem(instance, policy):
    capacity, requests = instance
    alpha = max(s + o for _, s, o in requests) / capacity
    if alpha >= 1:
        return
    result = play(requests, policy, capacity)
    volume = Trace.of(requests).volume
    order = np.argsort(volume, kind="mergesort")
    ahead = np.empty(len(volume))
    ahead[order] = np.cumsum(volume[order]) - volume[order]
    assert np.all(result.start <= 2 / ((1 - alpha) * capacity) * ahead + 1e-9)


@settings(max_examples=200, deadline=None)
@given(bursts, st.sampled_from(["fcfs", "sjf", "mc-sf", "mc-benchmark", "svf", "svf:engine=1", "fcfs-reserve", "ljf"]))
def test_no_schedule_beats_the_bound_and_memory_is_never_exceeded(instance, policy):
    capacity, requests = instance
    result = play(requests, policy, capacity)
    trace = Trace.of(requests)
    zero = np.zeros(len(trace), np.int64)
    assert result.latency.sum() >= area.lower_bound(zero, trace.prompt, trace.output, capacity)
    use = np.zeros(int(result.finish.max()) + 2, np.int64)
    for i, start, stop, kept in result.attempts.tolist():
        use[start + 1 : stop + 1] += trace.prompt[i] + kept + np.arange(1, stop - start + 1)
    assert use.max() == result.peak_tokens <= capacity
    assert use.sum() == pytest.approx(result.mean_memory_use * capacity * result.finish.max())


@settings(max_examples=100, deadline=None)
@given(bursts)
def test_equal_prompts_make_svf_and_mc_sf_the_same(instance):
    capacity, requests = instance
    requests = [(a, 3, min(o, capacity - 3)) for a, _, o in requests]
    assert starts(requests, "svf", capacity) == starts(requests, "mc-sf", capacity)


def test_the_catalogue_tells_everything():
    for name, kind in catalogue().items():
        made = load_policy(name) if all(f in kind._field_defaults for f in kind._fields) else None
        assert made is not None, f"{name}: every parameter has a default"
        assert kind.__doc__, name
        assert all(isinstance(getattr(kind, word), str) for word in ("uses", "guarantee", "source")), name
        assert set(getattr(kind, "ranges", {})) <= set(kind._fields), name


def test_ageing_keeps_the_long_request_from_starving():
    requests = [(0, 1, 4), (0, 1, 4), (0, 1, 8), *[(t, 1, 4) for t in range(1, 60)]]
    never, aged = (play(requests, p, 10) for p in ("svf", "svf:age=5"))
    assert never.start[2] == never.start.max()
    assert aged.start[2] < 20


@pytest.mark.parametrize("policy", ["fcfs-reserve", "mc-benchmark", "mc-sf", "svf", "svf:reserve=1", "sjf"])
def test_a_prediction_above_the_memory_blocks_nobody(policy):
    trace = Trace.of([(0, 5, 3), (0, 5, 2), (1, 5, 4)])
    assert simulate(trace, policy, rounds(capacity=10, rounds_per_s=1), "constant:50").completed == 3
