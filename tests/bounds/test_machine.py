"""The least machine time of requests, against instances solved by hand, a linear program and runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from plimsoll import Trace, serving, simulate
from plimsoll.bounds.machine import amounts, dearest, decodes, least_seconds, load_of, pace, prompts
from plimsoll.bounds.serving import serving_bound
from plimsoll.experiment.run import bound_for
from plimsoll.fleet.fleet import Fleet
from plimsoll.fleet.stages import Stages
from plimsoll.host.iterations import Iterations
from plimsoll.host.serving import MODES
from plimsoll.steptime.form import StepTime
from plimsoll.steptime.kernel import pack

A100 = serving(gpu="a100", model="llama-2-70b", tp=2, blocks=3328, max_num_seqs=128)
RTX = serving(gpu="rtx-4090", model="llama-3.1-8b", blocks=500)


def test_one_request_takes_its_own_steps():
    """A prompt of 5 in one step of a second, then three steps of a second."""
    host = serving(steptime="unit", blocks=24, block_size=1)
    assert serving_bound(Trace.of([(3.0, 5, 4)]), [host]) == pytest.approx(4)
    assert serving_bound(Trace.of([(3.0, 5, 4)]), [host, host]) == pytest.approx(4)


def test_a_step_time_given_as_an_object_is_bounded_as_by_its_name():
    trace = Trace.of([(0, 5, 9), (1, 3, 4)])
    by_name = serving(steptime="linear:0.9:0.1", blocks=100, block_size=1)
    given = serving(steptime=by_name.step_time(), blocks=100, block_size=1)
    assert bound_for(trace, given) == bound_for(trace, by_name) > 0


def test_memory_binds_by_hand():
    """Three requests hold 4, 5 and 6 tokens in their three later steps of a second: 45 of 10 a second."""
    host = serving(steptime="unit", blocks=10, block_size=1)
    trace = Trace.of([(0, 3, 4)] * 3)
    assert amounts(trace, host).tolist() == [[15, 6, 3]] * 3
    assert least_seconds(trace, host) == pytest.approx([1.5] * 3)
    assert serving_bound(trace, [host]) == pytest.approx(4 + 4 + 4.5)
    assert serving_bound(trace, [serving(steptime="unit", blocks=7, block_size=1)]) == pytest.approx(
        4 + 30 / 7 + 45 / 7
    )


def test_seats_bind_by_hand():
    """One seat: a step of a second makes one token, whatever the memory."""
    host = serving(steptime="unit", blocks=100, block_size=1, max_num_seqs=1)
    assert least_seconds(Trace.of([(0, 3, 4)] * 2), host) == pytest.approx([3, 3])


def test_tokens_bind_by_hand():
    """A tenth of a second a token: a prompt of 90 and 9 more tokens take 9.9 s at least."""
    host = serving(steptime="linear:0:0.1", blocks=1000, block_size=1)
    assert least_seconds(Trace.of([(0, 90, 10)]), host) == pytest.approx([9.9])


def test_load():
    trace = Trace.of([(0, 3, 4), (1, 3, 4)])
    host = serving(steptime="unit", blocks=10, block_size=1)
    assert load_of(trace, host) == pytest.approx(1.5)
    assert load_of(trace, Fleet([host, host])) == pytest.approx(0.75)
    assert load_of(Trace.of([(0, 3, 4)] * 2), host) is None
    assert load_of(trace, Iterations(10)) == pytest.approx(
        22 * (Iterations(10).step.fixed_s / 10 + Iterations(10).step.per_token_s)
    )


def test_separate_stages_are_as_loaded_as_the_busier():
    trace = Trace.of([(0, 900, 2), (1, 900, 2)])
    host = serving(gpu="h100", model="llama-3.1-8b")
    stages = Stages(Fleet([host]), Fleet([host]))
    busier = dearest(amounts(trace, host) * (0, 1, 0), [host])
    assert load_of(trace, stages) == pytest.approx(busier.mean())
    assert load_of(trace, stages) <= load_of(trace, host)


def test_shared_prompts_count_for_nothing():
    heads = np.empty(2, object)
    heads[:] = [[1], [1]]
    shared = Trace(np.arange(2.0), np.full(2, 64), np.full(2, 3), more={"hash_ids": heads})
    assert amounts(shared, A100).tolist() == [[0, 0, 2]] * 2
    assert amounts(shared, serving(steptime="unit", blocks=9, prefix_caching=False))[:, 1].tolist() == [66, 66]


def test_outputs_are_cut_before_they_are_counted():
    trace = Trace.of([(0, 5, 100)])
    assert serving_bound(trace, [serving(steptime="unit", blocks=24, max_tokens=4)]) == pytest.approx(4)


def test_no_bound_where_clients_give_up_or_wait_for_answers():
    trace = Trace.of([(0, 5, 4)])
    assert bound_for(trace, serving(steptime="unit", blocks=24, timeout_s=9.0)) is None
    assert bound_for(trace, serving(steptime="unit", blocks=24, closed_loop=True)) is None


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([[A100], [RTX], [RTX, RTX], [A100, RTX]]))
def test_the_dearest_price_is_that_of_the_linear_program(seed, replicas):
    """max total·p: on each replica what a step sells is worth at most its seconds times t, and the t add up to 1."""
    rng = np.random.default_rng(seed)
    worth = rng.integers(1, 10 ** rng.integers(2, 7, 3), (5, 3)).astype(float)
    steps = [np.concatenate([decodes(host), prompts(host)]) for host in replicas]
    rows = [
        np.column_stack([each[:, :3], *[-each[:, 3] * (r == k) for k in range(len(steps))]])
        for r, each in enumerate(steps)
    ]
    cost, scale = np.append(-worth.sum(axis=0), np.zeros(len(steps))), np.array([1e5, 1e3, 1e2] + [1.0] * len(steps))
    found = linprog(
        cost / scale, np.concatenate(rows) / scale, np.zeros(sum(map(len, rows))),
        [[0.0] * 3 + [1.0] * len(steps)], [1.0], method="highs",
    )  # fmt: skip
    assert dearest(worth, replicas).sum() == pytest.approx(-found.fun, rel=1e-3)
    assert dearest(worth, replicas).sum() <= -found.fun * (1 + 1e-9)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10_000),
    st.sampled_from(MODES),
    st.sampled_from([{"steptime": "unit"}, {"steptime": "linear:0.9:0.1"}, {"gpu": "a100"}, {"gpu": "rtx-4090"}]),
    st.sampled_from(["fcfs", "svf", "load-line", "ljf"]),
    st.integers(1, 5),
    st.integers(0, 2),
)
def test_no_run_beats_the_bound(seed, mode, seconds, policy, seats, spread):
    rng = np.random.default_rng(seed)
    n = 30
    gap = (0.0, 0.3, 3.0)[spread]
    trace = Trace(np.cumsum(rng.exponential(gap, n)), rng.integers(1, 60, n), 1 + rng.geometric(0.1, n))
    host = serving(
        **seconds, model="llama-3.1-8b", blocks=int(trace.peak.max()) // 4 + int(rng.integers(1, 9)), block_size=4,
        mode=mode, max_num_seqs=seats, max_num_batched_tokens=int(rng.integers(60, 200)),
    )  # fmt: skip
    done = simulate(trace, policy, host)
    if done.status == "ok":
        assert done.latency.sum() >= bound_for(trace, host) * (1 - 1e-9)
        assert done.more["busy_s"] >= dearest(amounts(trace, host), [host]).sum() * (1 - 1e-9)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 9999), st.sampled_from(["fcfs", "svf", "sjf"]), st.sampled_from(MODES))
def test_no_run_beats_the_bound_whatever_a_step_takes(seed, policy, mode):
    rng = np.random.default_rng(seed)
    drawn = (rng.exponential(0.01, 14) * (rng.random(14) < 0.6)).tolist()
    slope, more = rng.exponential((0.01, 0.05)).tolist()
    rising, from_nothing = ([0.0, 1.0], [0.1, 0.1 + more]), ([0.0, 1.0], [0.0, slope])
    step = StepTime("drawn", "", pack(drawn[0], drawn[1:6], drawn[6:], rising, from_nothing, rising))
    cut = None if rng.random() < 0.7 else int(rng.integers(2, 9))
    trace = Trace(np.cumsum(rng.exponential(0.3, 60)), rng.integers(1, 9, 60), rng.integers(1, 9, 60))
    host = serving(steptime=step, blocks=24, block_size=1, max_num_batched_tokens=24, mode=mode, max_tokens=cut)
    done = simulate(trace, policy, host, seed=seed)
    assert done.latency.sum() >= bound_for(trace, host) > 0


def test_a_pace_without_seconds_is_endless():
    assert pace(np.array([[1.0, 1.0, 1.0, 0.0]]), np.array([1.0, 0.0, 0.0])) == np.inf
