"""load-line: who goes first, how far memory is loaded, who gives memory back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate
from plimsoll.policies import load_line as line
from plimsoll.policies.load_line import LoadLine
from plimsoll.policy.view import REQUEST, RUNNING, View, records
from plimsoll.predict import survival


def view_of(requests, running=(), capacity=100, step=0, over=0, curve=None, block=1):
    """A view of requests (prompt, predicted, generated) of which ``running`` (id, held) hold memory."""
    rows, batch = records(len(requests), REQUEST), records(len(running), RUNNING)
    for row, (prompt, predicted, generated) in zip(rows, requests, strict=True):
        row.prompt, row.predicted, row.generated = prompt, predicted, generated
    for row, (i, held) in zip(batch, running, strict=True):
        row.id, row.offset = i, held - step
    curve = survival.step() if curve is None else curve
    plan = LoadLine().plan(rows, capacity, np.random.default_rng(0))
    use = sum(held + 1 for _, held in running)
    return View(
        float(step), step, capacity, block, capacity - use - 1, over, 0, rows, batch, curve, plan.columns, plan.memory,
        np.ones(6, np.int64),
    )  # fmt: skip


@st.composite
def instances(draw):
    capacity = draw(st.integers(4, 60))
    lengths = st.tuples(st.integers(0, 30), st.integers(0, capacity - 1), st.integers(1, capacity))
    rows = draw(st.lists(lengths, min_size=1, max_size=14))
    return capacity, sorted((a, s, min(o, capacity - s)) for a, s, o in rows)


@settings(max_examples=30, deadline=None)
@given(instances(), st.sampled_from(["exact", "law", "lognormal:0.7"]), st.booleans(), st.booleans())
def test_serves_everyone_within_memory_the_same_compiled_or_not(instance, predictor, order, recompute):
    capacity, requests = instance
    policy = LoadLine(order, recompute=recompute)
    host = rounds(capacity=capacity, rounds_per_s=1)
    runs = [simulate(Trace.of(requests), policy, host, predictor, compiled=way) for way in (True, False)]
    assert runs[0].status == "ok" and runs[0].completed == len(requests)
    assert runs[0].peak_tokens <= capacity
    np.testing.assert_array_equal(runs[0].finish, runs[1].finish)
    np.testing.assert_array_equal(runs[0].attempts, runs[1].attempts)


def test_slack():
    view = view_of([(5, 5, 0)], capacity=100)
    # nothing measured: the whole memory serves 100 a step
    assert line.slack(view, 20.0) == 0  # nobody waits
    view.memory[line.BACKLOG] = 1e6
    assert line.slack(view, 60.0) == 0  # above the mean, 40, and one of the two largest so far
    view.memory[line.BACKLOG], view.memory[line.TIME], view.memory[line.SERVED] = 120, 1, 10  # a wait of 12
    assert line.slack(view, 10.0) == pytest.approx(12 * np.log(10 / 30))


def test_only_the_largest_stand_back_and_by_the_queue():
    view = view_of([(5, 5, 0)], capacity=100)
    for _ in range(3000):
        line.slack(view, 20.0)
    view.memory[line.BACKLOG], view.memory[line.TIME], view.memory[line.SERVED] = 1000, 1, 10  # a wait of 100
    view.memory[line.SIZE] = 1.0  # none is below the mean
    assert line.slack(view, 20.0) == 0  # one like all others
    assert line.slack(view, 1e5) == pytest.approx(100 * line.FAR)  # the largest in 500
    view.memory[line.BACKLOG] = 0
    assert line.slack(view, 1e5) == 0  # nobody waits


def test_a_client_with_a_long_queue_stands_back_by_it():
    view = view_of([(5, 5, 0), (5, 5, 0)], capacity=100)
    view.requests.client = [0, 1]
    memory = np.append(view.memory, 0.0)  # of a second client
    view = view._replace(memory=memory)
    memory[line.TIME], memory[line.SERVED], memory[line.SIZE] = 1, 10, 40
    line.wait_with(view, 0, 90.0)
    # alone with 90 waiting, it would go at once; client 1 shares the machine and has nothing waiting
    assert line.excess(view, 0) == 0
    assert line.excess(view, 1) == -90 / 10
    line.wait_with(view, 1, 30.0)
    assert line.excess(view, 0) == (2 * 90 - 120) / 10
    assert line.excess(view, 1) == (2 * 30 - 120) / 10


def test_fairness_brings_a_small_client_forward():
    rows = [(0, 4, 6)] * 12 + [(1, 4, 6)] * 2
    arrival, prompt, output = (np.array(column) for column in zip(*rows, strict=True))
    trace = Trace(arrival.astype(float), prompt, output, "clients", client=np.array([0] * 12 + [1] * 2))
    host = rounds(capacity=20, rounds_per_s=1)
    alone = simulate(trace, "load-line", host, "exact").finish
    fair = simulate(trace, "load-line:fair=1", host, "exact").finish
    assert fair[12:].max() < alone[12:].max() and fair.max() == alone.max()


def test_small_volumes_pass_a_burst():
    trace = Trace.of([(0, 8, 2), (0, 1, 2), (0, 1, 1), (0, 4, 4)])
    starts = simulate(trace, "load-line", rounds(capacity=10, rounds_per_s=1), "exact").start
    assert starts.tolist() == [2, 0, 0, 4]


def test_who_is_longest_in_memory_finishes():
    """Evicting the only one that was large enough on its own made these two take turns for ever."""
    trace, host = Trace.of([(25, 0, 16), (25, 13, 25)]), rounds(capacity=38, rounds_per_s=1)
    assert simulate(trace, "load-line:order=0", host, "lognormal:0.7").completed == 2


def test_starts_what_is_sure_to_fit_and_waits_for_the_rest():
    trace = Trace.of([(0, 5, 5), (0, 5, 5), (0, 4, 1)])
    result = simulate(trace, "load-line:order=0", rounds(capacity=10, rounds_per_s=1))
    assert result.finish.tolist() == [5.0, 10.0, 11.0]
    assert result.evictions.sum() == 0


@pytest.mark.parametrize(("over", "chosen"), [(6, 1), (7, 0), (13, 0), (14, 2), (40, 2)])
def test_evicts_the_cheapest_that_is_enough_else_the_largest(over, chosen):
    view = view_of([(10, 9, 0), (3, 9, 0), (20, 9, 0), (1, 9, 0)], [(0, 12), (1, 5), (2, 25), (3, 2)], over=over)
    view.requests.turn = [1, 2, 3, 0]  # the last is the cheapest, but the longest in memory
    out = np.zeros(4, np.int64)
    assert LoadLine().evict(view, out) == 1
    assert out[0] == chosen


def test_learns_what_a_recomputed_token_costs():
    rng = np.random.default_rng(1)
    view = view_of([(10, 9, 0)], [(0, 12)])
    now, step = 0.0, 0
    for _ in range(60):
        tokens = float(rng.integers(0, 4000))
        view.memory[line.PREFILL] = tokens
        now, step = now + 0.05 * 40 + 0.0004 * tokens, step + 40
        line.watch(view._replace(now=now, step=step))
    assert view.memory[line.RECOMPUTE] == pytest.approx(0.0004 / 0.05, rel=0.1)  # the prior still pulls


def test_a_clock_of_steps_alone_makes_recomputing_free():
    view = view_of([(10, 9, 0)], [(0, 12)])
    for window in range(1, 30):
        view.memory[line.PREFILL] = 100.0 * (window % 7)
        line.watch(view._replace(now=40.0 * window, step=40 * window))
    assert view.memory[line.RECOMPUTE] < 0.001


def test_lost_work_has_a_price_where_requests_start_over():
    view = view_of([(10, 9, 0)], [(0, 12)])
    view.memory[line.RECOMPUTE] = 0.0
    LoadLine().evict(view, np.zeros(1, np.int64))
    line.judge(view, True)
    assert line.price(view) == (11 + 12) / 12  # two tokens in, the request held 11 and 12
