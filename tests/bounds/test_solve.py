import itertools
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace
from plimsoll.bounds import delay, guide, layers, levels, policies, prices, repair, search
from plimsoll.bounds.problem import cost, feasible
from plimsoll.bounds.replay import confirmed
from plimsoll.bounds.solve import bound, problem_of
from plimsoll.errors import CapacityError, InputError

from .exhaustive import optimum, optimum_with_kills
from .test_area import instances


def problem(requests, capacity, weights=None):
    return problem_of(Trace.of(sorted(requests, key=lambda r: r[0])), capacity, 1.0, weights)


def steps(count):
    """A stop that comes true after so many questions, so that no test depends on the clock."""
    left = iter(range(count))
    return lambda: next(left, None) is None


def relaxed(p, floor, evaluations=30):
    start = search.place(p, search.first_order(p))
    top = int((p.prompt + p.output).max())
    states = levels.enumerate_states(p.capacity, floor, top)
    horizon = int((start + p.output).max()) + 2
    climb = prices.Climb(p, states, floor, prices.first_prices(p, start, horizon))
    climb.advance(cost(p, start) + 1, steps(evaluations))
    return climb


def test_states_are_partitions():
    states = levels.enumerate_states(10, 2, 9)
    assert len(states.held) == levels.count(10, 2, 1000) - 1  # the state of one level 10 is above the top
    assert states.held[0] == 0 and (np.diff(states.held) >= 0).all()
    one = states.add[0, 3]
    assert states.held[one] == 3 and states.enter[0] == one
    assert states.held[states.rise[one]] == 4
    assert states.without[states.first[one]] == 0


def test_floor_is_the_smallest_that_is_affordable():
    floor = levels.affordable_floor(40, 0, 1000)
    assert levels.count(40, floor, 10**6) <= 1000 < levels.count(40, floor - 1, 10**6)
    assert levels.affordable_floor(10**6, 3, 100) == 10**6


@settings(max_examples=25, deadline=None)
@given(instances())
def test_every_floor_and_price_bounds_the_optimum(instance):
    requests, m = instance
    p = problem(requests, m)
    best = optimum(requests, m)
    for floor in range(m + 1):
        climb = relaxed(p, floor, 8)
        assert climb.bound <= best
        rng = np.random.default_rng(floor)
        noise = prices.Prices(
            climb.prices.reward * rng.uniform(0.5, 1.5, len(requests)),
            climb.prices.price * rng.uniform(0, 2, len(climb.prices.price)),
        )
        assert prices.evaluate(p, climb.states, floor, prices.on_grid(noise, p)).bound <= best


def test_whole_requests_bound_more_than_fractions():
    rng = np.random.default_rng(0)
    s = rng.integers(1, 4, 12)
    requests = [(0, int(x), int(rng.integers(1, 24 - x + 1))) for x in s]
    p = problem(requests, 24)
    assert relaxed(p, 4, 300).bound > 1.15 * relaxed(p, 24, 300).bound


@settings(max_examples=25, deadline=None)
@given(instances())
def test_proved_optimum_is_the_exhaustive_one(instance):
    requests, m = instance
    p = problem(requests, m)
    best = optimum(requests, m)
    climb = relaxed(p, int(p.prompt.max()))
    tables = guide.guide(p, climb.states, climb.floor, climb.prices)
    start = search.place(p, search.first_order(p))
    found = layers.explore(p, tables, cost(p, start) + 1, 5000, 5000, lambda: False)
    assert found.whole
    if guide.late_bound(p, tables, climb.prices, climb.bound) > best:
        assert found.start is not None
        assert feasible(p, found.start) and cost(p, found.start) == best


@settings(max_examples=8, deadline=None)
@given(instances(most=3), st.sampled_from((3, 10**6)))
def test_weights(instance, heavy):
    requests, m = instance
    requests = sorted(requests, key=lambda r: r[0])
    weights = [1 + heavy * (i % 2) for i in range(len(requests))]
    found = bound(Trace.of(requests), m, 20, rounds_per_s=1, weights=weights)
    assert found.lower <= optimum(requests, m, weights) <= found.upper


@settings(max_examples=60, deadline=None)
@given(instances(most=3, capacity=6, latest=3))
def test_kills_do_not_help_a_schedule_that_knows_everything(instance):
    requests, m = instance
    weights = [1 + 3 * (i % 2) for i in range(len(requests))]
    assert optimum_with_kills(requests, m, weights) == optimum(requests, m, weights)


def test_a_light_request_that_may_come_late_is_proved_too():
    # The weight of the last is so small that only a long horizon tells that it cannot pay to run it after all others.
    requests, weights = [(0, 2, 3), (0, 2, 1), (0, 8, 4), (0, 9, 2)], [8, 3, 8, 1]
    looks = itertools.count()
    found = bound(Trace.of(requests), 12, 1, rounds_per_s=1, weights=weights, clock=lambda: next(looks) / 300)
    assert found.proved and found.upper == optimum(requests, 12, weights)


def test_interval_is_proved_and_replayed():
    requests = [(0, 1, 6), (0, 2, 5), (1, 3, 4), (2, 1, 2), (3, 2, 6), (3, 2, 6)]
    found = bound(Trace.of(requests), 10, 30, rounds_per_s=1)
    p = problem(requests, 10)
    assert found.proved and found.upper == optimum(requests, 10) == cost(p, found.starts)
    assert feasible(p, found.starts) and confirmed(p, found.starts)


def test_replay_refuses_what_does_not_fit():
    p = problem([(0, 1, 4), (0, 1, 4)], 8)
    assert confirmed(p, np.array([0, 2])) == feasible(p, np.array([0, 2]))
    assert not feasible(p, np.array([0, 0]))
    assert not feasible(p, np.array([0, -1]))


def test_same_seed_same_schedule():
    rng = np.random.default_rng(3)
    p = problem([(int(a), 2, int(o)) for a, o in zip(range(20), rng.integers(1, 15, 20), strict=True)], 20)
    start = search.place(p, search.first_order(p))
    first = search.anneal(p, start, 7, steps(3))
    assert np.array_equal(first, search.anneal(p, start, 7, steps(3)))
    assert feasible(p, first) and cost(p, first) <= cost(p, start)


@pytest.mark.parametrize("method", ["auto", "order", "lp"])
def test_ctrl_c_ends_with_what_is_known(method):
    pytest.importorskip({"order": "ortools", "lp": "scipy"}.get(method, "numpy"))
    heard = []

    def press(interval):
        heard.append(interval)
        if len(heard) == 1:
            signal.raise_signal(signal.SIGINT)

    usual = signal.getsignal(signal.SIGINT)
    requests = [(0, 1 + i % 3, 5 + i) for i in range(24)]
    found = bound(Trace.of(requests), 40, 20, rounds_per_s=1, method=method, tell=press)
    assert heard and found.seconds < 20
    assert heard[0].lower <= found.lower < found.upper <= heard[0].upper
    assert feasible(problem(requests, 40), found.starts)
    assert signal.getsignal(signal.SIGINT) is usual


def test_a_second_ctrl_c_ends_at_once_with_what_is_known():
    def press(interval):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    requests = [(0, 1 + i % 3, 5 + i) for i in range(12)]
    found = bound(Trace.of(requests), 20, 30, rounds_per_s=1, tell=press)
    assert 0 < found.lower <= found.upper
    assert feasible(problem(requests, 20), found.starts)


def test_bad_input():
    trace = Trace.of([(0, 4, 2)])
    with pytest.raises(CapacityError, match="can never fit in 5 tokens"):
        bound(trace, 5)
    with pytest.raises(InputError, match="time limit must be above 0 seconds, not 0"):
        bound(trace, 6, 0)
    with pytest.raises(InputError, match="weights: one whole number of at least 1"):
        bound(trace, 6, weights=[0])
    with pytest.raises(InputError, match="weights and times are too large for exact arithmetic"):
        bound(Trace.of([(0, 4, 2), (0, 4, 2), (1, 4, 1)]), 6, 5, rounds_per_s=1, weights=[1, 10**15, 1])


def busy_problem(n=40):
    rng = np.random.default_rng(1)
    arrival = np.sort(rng.integers(0, 60, n)).tolist()
    return problem([(a, int(rng.integers(1, 9)), int(rng.integers(1, 20))) for a in arrival], 60)


def test_delay_prices_bound_at_least_about_the_mean_busy_time():
    p = busy_problem()
    alone = levels.enumerate_states(p.capacity, p.capacity, p.capacity)
    guess = delay.delay_prices(p, np.ones(len(p.weight)), 200)
    value = prices.evaluate(p, alone, p.capacity, guess).bound
    start = search.place(p, search.first_order(p))
    vol = p.prompt * p.output + p.output * (p.output + 1) // 2
    assert 0.9 * vol.sum() / p.capacity < value <= cost(p, start)


def test_delay_price_by_hand():
    # One request of volume 6 in a cache of 3: busy in rounds 1 and 2 at density 1/6 per token, idle after.
    p = problem([(0, 0, 3)], 3)
    price = delay.delay_prices(p, np.ones(1), 4).price
    assert price.tolist() == pytest.approx([0, 1.5 / 6, 0.5 / 6, 0, 0], abs=1e-6)


def test_repair_keeps_schedules_feasible_and_never_worse():
    p = busy_problem()
    start = search.place(p, np.argsort(-p.output))
    better = repair.repair(p, start, 0, steps(3))
    assert feasible(p, better) and cost(p, better) < cost(p, start)
    assert np.array_equal(better, repair.repair(p, start, 0, steps(3)))


def test_policies_make_feasible_schedules():
    p = busy_problem()
    found = dict(policies.schedules(p, steps(3)))
    assert {"svf", "mc-sf"} <= set(found)
    assert all(feasible(p, start) for start in found.values())


def test_the_public_name_is_the_function():
    import plimsoll

    assert plimsoll.bound(Trace.of([(0, 1, 2)]), 3).upper == 2


def test_the_time_limit_holds_where_one_node_has_millions_of_successors():
    # All at 0 and most of them short, so that the first round alone may start in countless ways.
    rng = np.random.default_rng(9)
    s = rng.integers(1, 6, 58)
    p = problem([(0, int(x), int(rng.integers(1, 38 - x + 1))) for x in s], 38)
    climb = relaxed(p, 7, 3)
    asked = steps(5)
    found = layers.explore(p, guide.guide(p, climb.states, 7, climb.prices), cost(p, first_starts(p)), 400, 50, asked)
    assert not found.whole and found.nodes <= 5 * layers.NODES


def first_starts(p):
    return search.place(p, search.first_order(p))
