"""WAIT and Nested WAIT: the published steady state, no eviction, and nobody lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, serving, simulate
from plimsoll.bounds.certify import certify
from plimsoll.errors import InputError, PolicyError
from plimsoll.host.iterations import Iterations
from plimsoll.policies.nested import NestedWait
from plimsoll.policies.threshold import Wait, entering
from plimsoll.policy import load_policy
from plimsoll.policy.fluid import LinearStep, Types
from plimsoll.policy.thresholds import wait_thresholds

UNIT = LinearStep(1, 0)


def run(policy, rows, capacity, step=UNIT, **more):
    return simulate(Trace.of(rows), policy, Iterations(capacity, step), **more)


def test_published_steady_state():
    # n = 4, three residents and six waiting, four arrivals an iteration: batches (4, 3), (4, 4), (4, 4)
    rows = [(0, 1, 1)] * 4 + [(0.5, 1, 1)] * 6 + [(t, 1, 1) for t in range(2, 20) for _ in range(4)]
    result = run(Wait(threshold=4), rows, 12)
    starts = np.bincount(result.start.astype(int))
    assert starts[:6].tolist() == [4, 4, 4, 4, 4, 4]
    assert result.finish[:8].tolist() == [2, 2, 2, 2, 3, 3, 3, 3]
    assert result.peak_tokens == 12 and result.evictions.sum() == 0


def test_below_the_threshold_everyone_pauses():
    # the second pair comes at 5: until then the first pair, prefilled, waits
    result = run(Wait(threshold=2), [(0, 1, 2), (0, 1, 2), (5, 1, 2), (5, 1, 2), (9, 1, 2)], 20)
    assert result.start[:4].tolist() == [0, 0, 5, 5]
    assert result.finish[:2].tolist() == [10, 10]  # one token at 6, the last when the trace drains from 9 on
    assert result.status == "ok" and result.completed == 5


def test_a_time_out_lets_them_go_on():
    waiting = run(Wait(threshold=2), [(0, 1, 2), (0, 1, 2), (90, 1, 2)], 20)
    timed = run(Wait(threshold=2, timeout=3), [(0, 1, 2), (0, 1, 2), (90, 1, 2)], 20)
    assert waiting.finish[0] > 90
    assert timed.finish[:2].max() < 10


def test_a_fractional_threshold_spreads_its_entries():
    assert [entering(0.4, b) for b in range(5)] == [0, 0, 1, 0, 1]
    result = run(Wait(threshold=0.5), [(0, 1, 3)] * 4, 20)
    assert np.diff(np.sort(result.start)).tolist() == [2, 2, 2]


def test_nested_segments_wait_at_their_door():
    # n = (2, 1): the first two enter at once; the survivor of the first segment needs no company to go on
    result = run(NestedWait(segments=2, cap=5), [(0, 1, 1), (0, 1, 2), (0, 1, 2)], 30)
    assert result.completed == 3 and result.evictions.sum() == 0


@pytest.mark.parametrize("more", ["", ",independent=1", ",literal=1", ",timeout=0.5"])
def test_nested_takes_as_many_iterations_as_tokens(more):
    rows = [(t / 2, 3, 1 + t % 7) for t in range(60)]
    result = run(f"nested-wait:segments=3,cap=24{more}", rows, 400, LinearStep(0.1, 0))
    assert result.completed == 60 and result.evictions.sum() == 0
    assert np.all(result.finish - result.start >= 0.1 * (result.output + 1) - 1e-9)


@st.composite
def streams(draw):
    gap = draw(st.floats(0.01, 3))
    kinds = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=3))
    rows = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=40))
    return [(k * gap, *row) for k, row in enumerate(rows)]


@settings(max_examples=30, deadline=None)
@given(streams(), st.sampled_from(["threshold=1", "threshold=2", "share=1", "share=0.5", "threshold=0.3,timeout=2"]))
def test_wait_never_evicts_and_stays_below_its_memory(rows, parameters):
    policy = load_policy(f"wait:types=3,{parameters}")
    result = run(policy, rows, 9000)
    assert result.status == "ok" and result.completed == len(rows)
    assert [c for c in certify(policy, result) if not c.holds] == []


@settings(max_examples=30, deadline=None)
@given(streams(), st.sampled_from(["", ",independent=1", ",literal=1", ",timeout=2"]), st.integers(1, 4))
def test_nested_wait_loses_nobody(rows, more, segments):
    result = run(f"nested-wait:segments={segments},cap=6{more}", rows, 2000)
    assert result.status == "ok" and result.completed == len(rows)
    assert result.peak_tokens <= 2000


@settings(max_examples=10, deadline=None)
@given(
    streams(), st.sampled_from(["wait:threshold=1", "wait:share=1", "nested-wait:cap=6", "nested-wait:cap=6,literal=1"])
)
def test_plain_python_agrees(rows, policy):
    assert np.array_equal(run(policy, rows, 3000).finish, run(policy, rows, 3000, compiled=False).finish)


def test_two_published_types_at_22_a_second():
    rng = np.random.default_rng(0)
    arrival = np.cumsum(rng.exponential(1 / 22, 3000))
    output = np.where(rng.random(3000) < 0.7, 20, 50)
    rows = list(zip(arrival, [512] * 3000, output, strict=True))
    result = run("wait:types=2", rows, 137_000, LinearStep())
    assert result.status == "ok" and result.evictions.sum() == 0
    assert result.peak_tokens <= 38_349
    assert all(c.holds for c in certify(Wait(types=2), result))


def test_infeasible_thresholds_say_what_would_be_feasible():
    rows = [(t / 100, 500, 100) for t in range(100)]
    with pytest.raises(InputError, match=r"these thresholds need .* feasible with threshold=0.0252 or less, fewer"):
        run("wait:threshold=3", rows, 2000)
    assert run("wait:threshold=0.0252,types=1", rows, 2000).completed == 100
    with pytest.raises(InputError, match="feasible with threshold=2 or less"):
        run("wait:threshold=3", rows, 150_000)
    with pytest.raises(InputError, match="feasible with fewer types, or share=1"):
        run("wait:threshold=3", [*rows, (2, 20, 1000)], 1500)
    with pytest.raises(InputError, match="do not hold more than the largest request, 600 tokens"):
        run("wait:share=0.3", rows, 2000)
    with pytest.raises(InputError, match=r"feasible with cap=\S+ or less") as refused:
        run("nested-wait:cap=500", rows, 2000)
    most = str(refused.value).split("cap=")[1].split()[0]
    assert run(f"nested-wait:cap={most}", rows, 2000).completed == 100


@pytest.mark.parametrize("policy", ["wait", "nested-wait"])
def test_outside_the_stability_region_the_thresholds_fill_the_memory(policy):
    rows = [(t / 100, 500, 100) for t in range(100)]
    with pytest.raises(InputError, match=r"outside the stability region.*feasible from"):
        wait_thresholds(Types.of([(100, 500, 100)]), LinearStep(), 2000)
    result = run(policy, rows, 2000, LinearStep())
    assert (result.status, result.completed) == ("ok", 100)
    assert result.peak_tokens > 1000


def test_the_number_of_types_is_the_one_that_lets_most_requests_in():
    """Two far types need one largest request each on top; together they need only one."""
    rows = [(t, *((1, 1), (900, 50))[t % 2]) for t in range(40)]
    requests = np.array(
        [(s, o, a) for a, s, o in rows], dtype=[("prompt", int), ("predicted", float), ("arrival", float)]
    )
    one, two = (Wait(types=most, share=1).thresholds(requests, 2000) for most in (1, 2))
    assert (len(one[1]), len(two[1])) == (1, 2)
    assert two[1].sum() > one[1].sum() and two[2] <= 2000


def test_memory_too_full_for_the_next_does_not_stop_the_rest():
    """The doors of nested-wait keep what waits there in memory: it must move on when nobody else can come in."""
    rng = np.random.default_rng(2)
    rows = [(t / 50, int(s), int(o)) for t, (s, o) in enumerate(rng.integers(1, [60, 90], (300, 2)))]
    for policy in ("nested-wait:cap=14", "nested-wait:cap=14,independent=1", "nested-wait:cap=14,literal=1"):
        result = run(policy, rows, 2000, LinearStep())
        assert (result.status, result.completed) == ("ok", 300) and result.peak_tokens <= 2000


def two_lengths(rate, horizon, seed):
    rng = np.random.default_rng(seed)
    arrival = np.sort(rng.uniform(0, horizon, rng.poisson(rate * horizon)))
    return [(t, 1, 1 + int(rng.random() < 0.25)) for t in arrival]


def test_nested_wait_keeps_its_certificate_at_the_published_memory():
    policy = NestedWait(segments=2, fixed_s=0.2, per_token_s=1e-4)
    rows = two_lengths(200, 20, 0)
    result = run(policy, rows, 1000, LinearStep(0.2, 1e-4))
    assert [(c.holds, c.slack) for c in certify(policy, result)] == [(True, 0)]
    with pytest.raises(InputError, match=r"nested-wait does not apply: it needs [\d,]+ tokens of memory, not 150"):
        certify(policy, run(policy, rows, 150, LinearStep(0.2, 1e-4)))
    with pytest.raises(InputError, match="cap = 0"):
        certify(NestedWait(cap=8), run(NestedWait(cap=8), rows, 1000, LinearStep(0.2, 1e-4)))


@pytest.mark.parametrize(("rate", "threshold", "slope"), [(4.0, 4, 0.5), (3.0, 3, 0.0)])
def test_the_latency_grows_as_the_theorem_says(rate, threshold, slope):
    """At the edge (ΔT = n/λ) at most as the root of the scale, with slack not at all; ζ times the calendar's."""
    scales, latency = (1, 4, 16), []
    for scale in scales:
        found = []
        for seed in range(8):
            rng = np.random.default_rng([seed, scale])
            arrival = np.sort(rng.uniform(0, 200, rng.poisson(rate * scale * 200)))
            ones = np.ones(len(arrival), dtype=np.int64)
            host = Iterations(12, LinearStep(0.5 / scale, 1 / 24 / scale))
            done = simulate(Trace(arrival, ones, ones, "ones"), Wait(types=1, threshold=threshold), host)
            found.append(scale * done.latency.mean())
        latency.append(np.mean(found))
    assert np.polyfit(np.log(scales), np.log(latency), 1)[0] == pytest.approx(slope, abs=0.15)


@pytest.mark.parametrize("policy", ["wait", "nested-wait"])
def test_a_serving_engine_refuses_it(policy):
    with pytest.raises(
        PolicyError, match=f"{policy} makes up a batch before its step: run it with --host rounds --prefill charged"
    ):
        simulate(Trace.of([(0, 5, 3)]), policy, serving(steptime="linear:0.1:0.1", blocks=40, block_size=1))
