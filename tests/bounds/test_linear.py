from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from plimsoll import Trace
from plimsoll.bounds import linear, search
from plimsoll.bounds.problem import cost
from plimsoll.bounds.solve import bound
from plimsoll.errors import InputError

from .exhaustive import optimum
from .test_area import instances
from .test_solve import problem


def first(p):
    return search.place(p, search.first_order(p))


def solved(p):
    program = linear.LinearProgram(p, first(p))
    for _ in program.steps(600, lambda: False):
        pass
    assert program.settled
    return program


def whole_program(p):
    """The optimum of the linear program with all its columns at once, without windows or a certificate."""
    linprog = pytest.importorskip("scipy.optimize").linprog
    n, last = len(p.weight), int(p.arrival.max() + p.output.sum())
    columns = [(i, t) for i in range(n) for t in range(p.arrival[i], last - p.output[i] + 1)]
    memory, once = np.zeros((last + 1, len(columns))), np.zeros((n, len(columns)))
    for c, (i, t) in enumerate(columns):
        memory[t + 1 : t + p.output[i] + 1, c] = p.prompt[i] + np.arange(1, p.output[i] + 1)
        once[i, c] = 1
    costs = [p.weight[i] * (t + p.output[i] - p.arrival[i]) for i, t in columns]
    return linprog(costs, memory, np.full(last + 1, p.capacity), once, np.ones(n)).fun


def test_certificate_by_hand():
    # Two of (0, 1, 2) in M = 3 hold 2 and 3: one after the other, 2 + 4. At price 1 in round 2 alone a start at 0
    # costs 2 + 3, at 1 it costs 3 + 2, at 2 it costs 4: 2 * 4 - 3 * 1 = 5.
    p = problem([(0, 1, 2), (0, 1, 2)], 3)
    kinds = linear.merge(p, np.array([0, 2]))
    assert kinds.copies.tolist() == [2] and kinds.latest.tolist() == [2]
    price = np.zeros(kinds.horizon + 1)
    price[2] = 1.0
    value = linear.evaluate(kinds, price)
    assert value.bound == 5
    assert (value.cost[0, :3] // value.scale).tolist() == [5, 5, 4]
    assert (value.cost[0, 3:] == linear.NEVER).all()


@settings(max_examples=40, deadline=None)
@given(instances())
def test_the_certificate_is_the_sum_in_fractions(instance):
    requests, m = instance
    p = problem(requests, m, [1 + i % 3 for i in range(len(requests))])
    kinds = linear.merge(p, first(p))
    price = np.random.default_rng(len(requests)).exponential(0.3, kinds.horizon + 1)
    value = linear.evaluate(kinds, price)
    y = [Fraction(round(x * value.scale), value.scale) for x in price.tolist()]
    total = -m * sum(y)
    for a, s, o, w, n, latest in zip(*(c.tolist() for c in kinds[:6]), strict=True):
        starts = [w * (t + o - a) + sum(y[t + u] * (s + u) for u in range(1, o + 1)) for t in range(a, latest + 1)]
        total += n * min(*starts, Fraction(w * (kinds.horizon + 1 - a)))
    assert value.bound - 1 < total <= value.bound
    assert value.bound <= optimum(sorted(requests, key=lambda r: r[0]), m, p.weight.tolist())


@settings(max_examples=25, deadline=None)
@given(instances())
def test_bound_is_the_whole_program_and_never_above_the_optimum(instance):
    pytest.importorskip("scipy")
    requests, m = instance
    p = problem(requests, m)
    assert np.ceil(whole_program(p) - 1e-6) <= solved(p).bound <= optimum(requests, m)


def test_twins_are_merged_and_nothing_is_lost():
    pytest.importorskip("scipy")
    requests = [(0, 2, 6)] * 5 + [(0, 1, 3)] * 4
    p = problem(requests, 12)
    program = solved(p)
    assert sorted(program.kinds.copies.tolist()) == [4, 5]
    assert program.bound == np.ceil(whole_program(p) - 1e-6)


def test_model_1_has_the_known_ratio():
    # MC-SF over the linear program is 1.51 to 1.57 at 40 to 60 requests (M 30-50, prompts 1-5, outputs 1..M - prompt).
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    s = rng.integers(1, 6, 50)
    p = problem([(0, int(x), int(rng.integers(1, 47 - x + 1))) for x in s], 47)
    program = solved(p)
    assert 1.35 < cost(p, first(p)) / program.bound < 1.65
    known = int(program._known.sum())
    assert known < 0.2 * program._known.size  # columns on demand


def test_two_hundred_requests():
    pytest.importorskip("scipy")
    rng = np.random.default_rng(1)
    s = rng.integers(1, 6, 200)
    p = problem([(0, int(x), int(rng.integers(1, 30 - x + 1))) for x in s], 30)
    assert 1.3 < cost(p, first(p)) / solved(p).bound < 1.7


def test_what_cannot_be_done_is_one_clear_line(monkeypatch):
    trace = Trace.of([(0, 1, 3), (0, 1, 4), (0, 2, 3)])
    with pytest.raises(InputError, match="method lp does not apply to the makespan"):
        bound(trace, 6, method="lp", objective="makespan")
    monkeypatch.setattr(linear, "STARTS", 10)
    with pytest.raises(InputError, match=r"method lp: 3 kinds of requests x .* rounds is too large; use method auto"):
        bound(trace, 6, 6, rounds_per_s=1, method="lp")
    monkeypatch.setattr(linear, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="method lp needs SciPy: pip install 'plimsoll\\[optimum\\]'"):
        bound(trace, 6, 6, rounds_per_s=1, method="lp")
