"""re-solve: a run by hand, the fluid's solution against a solver, and nobody lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.policies.resolve import ReSolve, spacing
from plimsoll.policy.view import REQUEST, RUNNING, View, records

from .burst import run


def view_of(types, capacity, step):
    """What the policy sees at ``step`` if so many (came, waiting) of each type (prompt, output) did since step 0."""
    requests = records(len(types), REQUEST)
    requests.prompt, requests.predicted = np.array([row[:2] for row in types]).T
    plan = ReSolve().plan(requests, capacity, np.random.default_rng(0))
    memory = plan.memory
    memory[0] = 0
    for row, place in zip(types, plan.columns[:, 0].astype(int), strict=True):
        memory[3 + 3 * place : 5 + 3 * place] = row[2:]
    running, table = records(0, RUNNING), np.zeros((1, 1))
    columns = plan.columns, memory, np.zeros(6, np.int64)
    return View(float(step), step, capacity, 1, capacity, 0, 0, requests, running, table, *columns)


def test_by_hand():
    # volume 14, H = 4: while more than 40/7 wait, a start every 0.7 rounds; then whenever it fits to its end
    result = run("re-solve:saved=0", [(1, 4)] * 8, 20)
    assert result.start.tolist() == [0, 0, 1, 1, 3, 4, 4, 4]
    assert run("svf", [(1, 4)] * 8, 20).start.tolist() == [0] * 4 + [4] * 4


def test_with_memory_to_spare_it_is_smallest_volume_first():
    rng = np.random.default_rng(0)
    kinds = [(1, 4), (3, 9), (2, 30)]
    rows = [(t // 3, *kinds[k]) for t, k in enumerate(rng.choice(3, 300, p=[0.6, 0.3, 0.1]))]
    starts = {m: [run(p, rows, m).start.tolist() for p in ("re-solve:saved=0", "svf")] for m in (200, 2000)}
    assert starts[2000][0] == starts[2000][1]
    assert starts[200][0] != starts[200][1]


def test_the_stream_of_small_ones_is_foreseen():
    # one of volume 2 a step leaves 10 of 12 tokens: 5 of volume 14 in H = 4 steps ask for more, one in 1.4 steps
    assert spacing(view_of([(1, 1, 8, 0), (1, 4, 0, 5)], 12, 8), 6) == pytest.approx(1.4)
    assert spacing(view_of([(1, 1, 8, 0), (1, 4, 0, 2)], 12, 8), 6) == 0  # 2 in 4 steps need 7 of the 10
    assert spacing(view_of([(1, 1, 48, 0), (1, 4, 0, 2)], 12, 8), 6) == 4  # nothing is left: at most H


@st.composite
def queues(draw):
    """Types of distinct volumes; only the head and larger ones wait."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=5, unique=True))
    size = {s * o + o * (o + 1) // 2: (s, o) for s, o in pairs}
    pairs = [size[v] for v in sorted(size)]
    head = draw(st.integers(0, len(pairs) - 1))
    rows = [(*p, draw(st.integers(0, 30)), draw(st.integers(1, 20)) if k >= head else 0) for k, p in enumerate(pairs)]
    return rows, head, draw(st.integers(18, 200)), draw(st.integers(1, 20))


@settings(max_examples=100, deadline=None)
@given(queues())
def test_the_head_starts_as_fast_as_the_linear_program_says(instance):
    optimize = pytest.importorskip("scipy.optimize")
    rows, head, capacity, step = instance
    prompt, output, came, waiting = np.array(rows, dtype=float).T
    most = waiting / output.max() + came / step
    size = prompt * output + output * (output + 1) / 2
    best = optimize.linprog(-np.ones(len(rows)), A_ub=[size], b_ub=[capacity], bounds=[(0, m) for m in most]).x
    pace = spacing(view_of(rows, capacity, step), 3 + 3 * head)
    if pace == 0:
        assert best[head] == pytest.approx(most[head])
    elif pace < output.max():
        assert best[head] == pytest.approx(1 / pace)
    else:
        assert best[head] <= 1 / pace + 1e-9


@st.composite
def streams(draw):
    kinds = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=4))
    rows = draw(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(kinds)), min_size=1, max_size=40))
    return sorted((t, *kind) for t, kind in rows), draw(st.integers(18, 60))


@settings(max_examples=60, deadline=None)
@given(streams(), st.sampled_from(["", ":saved=0", ":saved=3"]), st.sampled_from(["exact", "classes"]))
def test_loses_nobody(instance, more, predictor):
    rows, capacity = instance
    result = run(f"re-solve{more}", rows, capacity, predictor=predictor)
    assert result.completed == len(rows) and result.peak_tokens <= capacity
    if predictor == "exact":
        assert result.evictions.sum() == 0


@settings(max_examples=10, deadline=None)
@given(streams())
def test_plain_python_agrees(instance):
    rows, capacity = instance
    compiled, plain = (run("re-solve:saved=0.1", rows, capacity, compiled=yes) for yes in (True, False))
    assert np.array_equal(compiled.finish, plain.finish)


def test_too_many_types_are_refused():
    with pytest.raises(InputError, match=r"re-solve: 65 types, .*; feasible with at most 64"):
        run("re-solve", [(1, o) for o in range(1, 66)], 100)
    assert run("re-solve", [(1, o) for o in range(1, 65)], 100).completed == 64
