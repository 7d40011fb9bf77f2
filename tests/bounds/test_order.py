import sys

import numpy as np
import pytest
from hypothesis import given, settings

from plimsoll import Trace
from plimsoll.bounds import makespan, order, search
from plimsoll.bounds.problem import cost, feasible
from plimsoll.bounds.solve import bound
from plimsoll.errors import InputError

from .exhaustive import optimum
from .test_area import instances
from .test_solve import problem, steps


@settings(max_examples=8, deadline=None)
@given(instances())
def test_order_model_finds_the_exhaustive_optimum(instance):
    pytest.importorskip("ortools")
    requests, m = instance
    p = problem(requests, m)
    answer = order.solve(p, search.place(p, search.first_order(p)), 0, 20)
    best = optimum(requests, m)
    assert answer.lower == best
    assert feasible(p, answer.start) and cost(p, answer.start) == best


@settings(max_examples=8, deadline=None)
@given(instances())
def test_makespan(instance):
    pytest.importorskip("ortools")
    requests, m = instance
    p = problem(requests, m)
    best = optimum(requests, m, makespan=True)
    start = makespan.search(p, 0, steps(2))
    assert makespan.lower_bound(p) <= best <= int((start + p.output).max())
    assert feasible(p, start)
    answer = order.solve(p, start, makespan.lower_bound(p), 20, makespan=True)
    assert answer.lower == best == int((answer.start + p.output).max())


def test_many_that_finish_in_one_round_are_all_counted():
    # Five of (0, 0, 3) hold 15 in their third round; three fit in 10. In a cycle of "finishes before", each saw two.
    pytest.importorskip("ortools")
    requests, weights = [(0, 0, 3)] * 5, [6, 3, 3, 6, 9]
    p = problem(requests, 10, weights)
    answer = order.solve(p, search.place(p, search.first_order(p)), 0, 20)
    assert answer.lower == 96 == optimum(requests, 10, weights)
    assert feasible(p, answer.start)


def test_makespan_by_hand():
    # Peaks 5 of M = 6: the second may hold 1 in the round in which the first finishes, so it makes one token there.
    p = problem([(0, 0, 5), (0, 0, 5)], 6)
    assert makespan.lower_bound(p) == 9 == optimum([(0, 0, 5), (0, 0, 5)], 6, makespan=True)


def test_bound_by_the_order_model():
    pytest.importorskip("ortools")
    requests = [(0, 1, 1), (0, 1, 1), (0, 1, 3), (0, 1, 3)]
    found = bound(Trace.of(requests), 5, 300, rounds_per_s=1, method="order")
    assert found.proved and found.upper == 12
    short = bound(Trace.of(requests), 5, 20, rounds_per_s=1, objective="makespan")
    assert short.proved and short.upper == optimum(requests, 5, makespan=True)
    assert int((short.starts + np.array([1, 1, 3, 3])).max()) == short.upper


def test_absent_extra_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    with pytest.raises(InputError, match="method order needs OR-Tools: pip install 'plimsoll\\[optimum\\]'"):
        bound(Trace.of([(0, 1, 3), (0, 1, 4), (0, 2, 3)]), 6, 20, method="order")
    with pytest.raises(InputError, match="method must be auto or order or lp, not guess"):
        bound(Trace.of([(0, 1, 3)]), 6, method="guess")
    with pytest.raises(InputError, match="objective must be latency or makespan, not fun"):
        bound(Trace.of([(0, 1, 3)]), 6, objective="fun")
