"""A user's policy: loading, compiling, running, and what goes wrong."""

import textwrap

import numpy as np
import pytest

from plimsoll import Trace, rounds, simulate
from plimsoll.errors import CapacityError, InputError, PolicyError
from plimsoll.host.iterations import Iterations
from plimsoll.named import names
from plimsoll.policy import load_policy

HEAD = """
from typing import NamedTuple
from plimsoll.policy import CHANGE, NEVER, RERANK, SKIP, START, STOP, Plan, fits, peak_wait, uniform
"""
REQUESTS = [(0, 4, 3), (0, 1, 2), (1, 2, 5)]


@pytest.fixture
def policy(tmp_path, request):
    """A function that writes the body of a policy to a file of its own and names the class."""

    def write(body):
        file = tmp_path / f"mine_{abs(hash(body)) % 10**8}.py"
        file.write_text(HEAD + textwrap.dedent(body))
        return f"{file}:Mine"

    return write


def run(spec, requests=REQUESTS, capacity=20, **more):
    return simulate(Trace.of(requests), spec, rounds(capacity=capacity, rounds_per_s=1), **more)


SHORTEST = """
    class Mine(NamedTuple):
        "Shortest first."
        share: float = 0.0
        def rank(self, view, i):
            return view.requests[i].predicted + self.share * view.now
        def admit(self, view, i):
            return peak_wait(view, i, view.capacity)
"""


def test_ten_lines_run_compiled_and_plain_alike(policy):
    spec = policy(SHORTEST) + ":share=0.5"
    compiled, plain = run(spec), run(spec, compiled=False)
    assert compiled.finish.tolist() == plain.finish.tolist()
    assert load_policy(spec).share == 0.5


def test_rank_alone_is_a_policy(policy):
    spec = policy("class Mine(NamedTuple):\n    def rank(self, view, i):\n        return -view.requests[i].prompt\n")
    result = run(spec, capacity=7)  # the second is evicted in round 2, and starts over beside the third
    assert result.start.tolist() == [0, 3, 3]
    assert result.evictions.tolist() == [0, 1, 0]


def test_limit_takes_a_request_back_and_it_starts_over(policy):
    spec = policy("""
        class Mine(NamedTuple):
            def rank(self, view, i):
                return view.requests[i].evictions * 100.0 + i
            def limit(self, view, i):
                return 2 ** view.requests[i].evictions
    """)
    result = run(spec, [(0, 1, 3)], capacity=10)
    assert result.attempts.tolist() == [[0, 0, 1, 0], [0, 1, 3, 0], [0, 3, 6, 0]]
    assert result.evictions.tolist() == [2]


def test_wake_is_asked_again_without_any_event(policy):
    spec = policy("""
        class Mine(NamedTuple):
            def rank(self, view, i):
                return 0.0
            def admit(self, view, i):
                return START if view.now >= 7 else CHANGE
            def wake(self, view):
                return 7.0 if view.now < 7 else NEVER
    """)
    assert run(spec, [(0, 1, 1)]).start.tolist() == [7]


def test_skip_tries_the_next(policy):
    spec = policy("""
        class Mine(NamedTuple):
            def rank(self, view, i):
                return float(i)
            def admit(self, view, i):
                return START if fits(view, i) else SKIP
    """)
    assert run(spec, [(0, 4, 4), (0, 8, 1), (0, 1, 1)], capacity=10).start.tolist() == [0, 4, 0]


def test_plan_gives_columns_and_memory(policy):
    spec = policy("""
        import numpy as np
        class Mine(NamedTuple):
            def rank(self, view, i):
                view.memory[0] += 1
                return view.columns[i, 0]
            def plan(self, requests, capacity, rng):
                return Plan(np.arange(len(requests), 0, -1.0)[:, None], np.zeros(3))
    """)
    assert run(spec, [(0, 1, 2), (0, 1, 2)], capacity=3).start.tolist() == [2, 0]


def test_draws_are_the_same_compiled_and_plain(policy):
    spec = policy("class Mine(NamedTuple):\n    def rank(self, view, i):\n        return uniform(view)\n")
    many = [(0, 3, 4)] * 20
    draws = ((1, True), (1, False), (2, True))
    orders = [run(spec, many, capacity=8, seed=seed, compiled=how).start.tolist() for seed, how in draws]
    assert orders[0] == orders[1] != orders[2]


LIVELOCKS = {
    "stops": "def admit(self, view, i):\n        return STOP",
    "skips": "def admit(self, view, i):\n        return SKIP",
    "orders anew": "def admit(self, view, i):\n        return RERANK",
    "stops and wakes": "def admit(self, view, i):\n        return STOP\n"
    "    def wake(self, view):\n        return view.now + 1.0",
    "takes back": "def limit(self, view, i):\n        return 1",
    "takes back at once": "def wake(self, view):\n        return view.now\n    def evict(self, view, out):\n"
    "        if len(view.running) > 0:\n            out[0] = view.running[0].id\n        return len(view.running[:1])",
}


@pytest.mark.parametrize("host", [rounds(capacity=20, rounds_per_s=1), Iterations(20)], ids=["rounds", "iterations"])
@pytest.mark.parametrize("hooks", LIVELOCKS.values(), ids=LIVELOCKS)
def test_a_policy_that_never_gets_anywhere_ends_unstable(policy, host, hooks):
    spec = policy(f"class Mine(NamedTuple):\n    def rank(self, view, i):\n        return 0.0\n    {hooks}\n")
    result = simulate(Trace.of([(0, 1, 3), (2, 1, 3)]), spec, host)
    assert (result.status, result.completed) == ("unstable", 0)
    assert result.reason


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ("def rank(self, view):\n        return 0.0", PolicyError, r"_\d+.py:\d+: rank must take \(self, view, i\)"),
        (
            "def rank(self, view, i):\n        r = view.requests[i]\n        return view.nothing",
            PolicyError,
            r":7: Mine.rank cannot be compiled: Unknown attribute 'nothing' of type View$",
        ),
        (
            "def rank(self, view, i):\n        return view.requests[i].length",
            PolicyError,
            r":5: Mine.rank cannot be compiled: a record has no field 'length'",
        ),
        (
            "def rank(self, view, i):\n        return sorted(view.requests, key=lambda r: r.prompt)[0].prompt",
            PolicyError,
            r":5: Mine.rank cannot be compiled: NotImplementedError",
        ),
        ("def rank(self, view, i):\n        return 1.0 / (i - i)", PolicyError, r":\d+: Mine raised ZeroDivisionError"),
        ("def rank(self, view, i):\n        return float('nan')", PolicyError, "Mine.rank of request 0"),
        (
            "def rank(self, view, i):\n        return 0.0\n    def admit(self, view, i):\n        return START",
            CapacityError,
            "Mine starts request",
        ),
        (
            "def rank(self, view, i):\n        return 0.0\n    def evict(self, view, out):\n        return 0",
            PolicyError,
            "Mine.evict named 0",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(policy, body, error, said):
    spec = policy(f"class Mine(NamedTuple):\n    {body}\n")
    with pytest.raises(error, match=said) as caught:
        run(spec, [(0, 3, 4), (0, 3, 4), (0, 3, 4)], capacity=8)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("svff", "policy svff: unknown; did you mean 'svf'"),
        ("svf:age=-1", r"svf: parameter age must be in \[0, inf\]"),
        ("svf:weight=1", "policy svf: no parameter weight; it has reserve"),
        ("mc-sf:protect=much", "policy mc-sf: protect must be a number"),
        ("svf:reserve=2", "policy svf: reserve must be true or false"),
        ("nowhere.py:Mine", "nowhere.py: no such file"),
        ("nowhere.py", "name the class too"),
    ],
)
def test_a_wrong_name_is_one_line(spec, said):
    with pytest.raises(InputError, match=said):
        load_policy(spec)


def test_a_file_that_does_not_run_names_its_line(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("x = 1\ny = 1 / 0\n")
    with pytest.raises(PolicyError, match=r"broken.py:2: cannot load the policy: ZeroDivisionError"):
        load_policy(f"{file}:Mine")


def test_a_list_of_names_keeps_their_parameters():
    assert names("fcfs,alpha-beta:alpha=0.2,beta=0.1,svf") == ["fcfs", "alpha-beta:alpha=0.2,beta=0.1", "svf"]


def test_an_unsorted_trace_of_sessions_comes_back_in_its_own_order():
    trace = Trace(np.array([5.0, 0.0]), np.array([1, 2]), np.array([2, 3]), session=np.array([0, 1]))
    result = simulate(trace, "fcfs", rounds(capacity=10, rounds_per_s=1))
    assert result.arrival.tolist() == [5, 0]
    assert result.finish.tolist() == [7, 3]
