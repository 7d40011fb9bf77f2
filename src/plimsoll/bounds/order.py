"""The order-based model, solved by CP-SAT (extra ``optimum``): total weighted latency or makespan.

One finish C_i per request and, for every pair, "i finishes before j"; of those that finish in one round the earlier
row is before the later, so that the first of them counts all the others. Memory grows by one token a round per running
request and falls only where one finishes, so it is enough to hold it to M in the rounds in which requests finish. If i
finishes before j, then in round C_i request j holds p_j - (C_j - C_i) tokens if it has started (p = prompt + output),
nothing if C_j >= C_i + o_j. Since s_j + 1 is the least it can hold,

    i before j:  C_j - C_i >= o_j - max(0, M - p_i - s_j),

which is implied but tells the solver at once what pairs cannot overlap. Equal requests finish in the order
of their rows. All numbers are whole, and the solver's bound is a proof in integer arithmetic.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from .guide import twins
from .problem import Ints, Problem

MOST_REQUESTS = 300  # whose pairs still fit in memory as constraints


class Answer(NamedTuple):
    """The solver's certified lower bound and its best schedule (None: no better than the hint)."""

    lower: int
    start: Ints | None
    nodes: int


def solve(
    problem: Problem,
    start: Ints,
    lower: int,
    seconds: float,
    makespan: bool = False,
    seed: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Answer:
    """Look for a better schedule than ``start`` and a better bound than ``lower`` for so many seconds.

    Building the model counts; if ``stop()`` or the time comes before it is built, nothing is learned.

    Parameters
    ----------
    start : shape (n,), a feasible schedule, the hint.
    lower : a certified lower bound of the total weighted latency, or of the makespan.
    makespan : minimise the last finish in place of the total weighted latency.

    Raises
    ------
    InputError
        If OR-Tools is not installed, or there are more than 300 requests.
    """
    if len(start) > MOST_REQUESTS:
        raise InputError(f"method order: {len(start)} requests are too many, at most {MOST_REQUESTS}; use method auto")
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        raise InputError("method order needs OR-Tools: pip install 'plimsoll[optimum]'") from None
    began = time.perf_counter()
    a, _, o, w, _ = problem
    model: Any = cp_model.CpModel()
    last = int((start + o).max()) if makespan else int(a.max() + o.sum())
    finish = [model.new_int_var(int(a[i] + o[i]), max(last, int(a[i] + o[i])), f"finish {i}") for i in range(len(a))]
    if not _pairs(model, problem, finish, lambda: stop() or time.perf_counter() - began >= seconds):
        return Answer(lower, None, 0)
    for i, twin in enumerate(twins(problem).tolist()):
        if twin >= 0:
            model.add(finish[twin] <= finish[i])
    offset = 0 if makespan else int(np.sum(w * a))
    goal: Any = sum(int(w[i]) * finish[i] for i in range(len(a)))
    if makespan:
        goal = model.new_int_var(lower, last, "makespan")
        model.add_max_equality(goal, finish)
    model.add(goal >= lower + offset)
    model.minimize(goal)
    for i, variable in enumerate(finish):
        model.add_hint(variable, int(start[i] + o[i]))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(seconds - (time.perf_counter() - began), 0.01)
    solver.parameters.num_workers = 2
    solver.parameters.random_seed = seed
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Answer(lower, None, int(solver.num_branches))
    found = np.array([solver.value(variable) for variable in finish], np.int64) - o
    proved = math.ceil(solver.best_objective_bound - 1e-6) - offset
    return Answer(max(lower, proved), found, int(solver.num_branches))


def _pairs(model: Any, problem: Problem, finish: list[Any], stop: Callable[[], bool]) -> bool:
    """Order, overlap and memory of every pair; False if ``stop()`` came first."""
    s, o, m = problem.prompt.tolist(), problem.output.tolist(), problem.capacity
    n = len(s)
    before = {(i, j): model.new_bool_var(f"{i} before {j}") for i in range(n) for j in range(i + 1, n)}
    for i in range(n):
        if stop():
            return False
        holds: list[Any] = []
        for j in range(n):
            if i == j:
                continue
            first = before[i, j] if i < j else before[j, i].negated()
            room = max(0, m - s[i] - o[i] - s[j])
            model.add(finish[j] - finish[i] >= max(int(j < i), o[j] - room)).only_enforce_if(first)
            if room == 0:
                continue  # no overlap: the pair rule says so
            running = model.new_bool_var(f"{j} runs when {i} finishes")
            held = model.new_int_var(0, m - s[i] - o[i], f"held by {j} when {i} finishes")
            model.add(finish[j] - finish[i] >= o[j]).only_enforce_if([first, running.negated()])
            model.add(held >= s[j] + o[j] - finish[j] + finish[i]).only_enforce_if([first, running])
            model.add_implication(running, first)
            holds.append(held)
        if holds:
            model.add(sum(holds) <= m - s[i] - o[i])
    return True
