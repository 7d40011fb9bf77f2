"""The iterations host: hand-solved batches, pauses, evictions, and agreement with plain Python."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate
from plimsoll.bounds.machine import least_seconds
from plimsoll.errors import InputError, PolicyError
from plimsoll.host.iterations import Iterations
from plimsoll.policy import STOP, Plan, View
from plimsoll.policy.fluid import LinearStep
from plimsoll.steptime import StepTime
from plimsoll.steptime.kernel import pack

UNIT = LinearStep(1, 0)


def run(requests, policy, capacity, step=UNIT, **more):
    return simulate(Trace.of(requests), policy, Iterations(capacity, step), **more)


def test_a_prefill_is_an_iteration_without_a_token():
    result = run([(0, 1, 1), (0, 1, 2), (0.5, 3, 2)], "fcfs", 12)
    assert result.start.tolist() == [0, 0, 1]
    assert result.first_token.tolist() == [2, 2, 3]
    assert result.finish.tolist() == [2, 3, 4]
    # round 2 holds 2 + 2 of the first two and the prompt of the third; round 3 holds 3 and 4
    assert result.peak_tokens == 7 and result.unit == "s"


def test_time_is_linear_in_the_tokens_of_the_batch():
    # batches of 5, 6 and 7 tokens
    result = run([(0, 5, 2)], "fcfs", 20, LinearStep(1, 0.1))
    assert result.finish.tolist() == pytest.approx([3 + 0.1 * 18])
    assert result.mean_memory_use == pytest.approx((1.5 * 5 + 1.6 * 6 + 1.7 * 7) / (4.8 * 20))


def test_a_step_may_last_as_long_as_in_the_serving_host():
    flat, chunk = ([1.0], [0.0]), [0.0] * 4
    alone, beside = [1.0, 0.01, 0.001, 0.0, 0.0], [2.0, 0.1, 0.01, 0.1, *chunk]
    law = StepTime("mine", "given", pack(0.1, alone, beside, ([1.0], [1.0]), flat, flat))
    # alone 1 + 0.01·5 + 0.001·25; beside a decode of 6 tokens 2 + 0.1 + 0.06 + 0.1·3; decodes of 7 + 4, then of 5
    result = run([(0, 5, 2), (0.5, 3, 2)], "fcfs", 30, law)
    first, mixed = 1.075, 2.46
    assert result.finish.tolist() == pytest.approx([first + mixed + 2.1, first + mixed + 2.1 + 1.5])
    volume = 5 * 2 + 3
    assert least_seconds(Trace.of([(0, 5, 2)]), Iterations(30, law)) == pytest.approx([volume * (1 / 30 + 0.1)])


def test_an_arrival_during_a_batch_waits_for_its_end():
    result = run([(0, 1, 3), (0.1, 1, 1), (9.5, 1, 1)], "fcfs", 20)
    assert result.start.tolist() == [0, 1, 9.5]
    assert result.finish.tolist() == [4, 3, 11.5]


class EveryOther(NamedTuple):
    """Lets the running requests take part in every second step only."""

    def plan(self, requests: Any, capacity: int, rng: Any) -> Plan:
        return Plan(memory=np.zeros(1))

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def select(self, view: View, out: Any) -> int:
        view.memory[0] += 1.0
        if view.memory[0] % 2 == 0:
            return 0
        for x in range(len(view.running)):
            out[x] = view.running[x].id
        return len(view.running)


def test_who_sits_out_keeps_its_memory_and_loses_time():
    # three requests of one token, one a step because memory is short; whoever runs is paused in every second step
    result = run([(0, 4, 2), (1, 4, 1), (2, 4, 1)], EveryOther(), 12)
    assert result.completed == 3 and result.evictions.sum() == 0
    assert result.finish[0] > 3
    assert result.peak_tokens <= 12


class Cascade(NamedTuple):
    """First come, first served that evicts the newest residents to let fresh arrivals in."""

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival + 1000.0 * view.requests[i].evictions

    def wake(self, view: View) -> float:
        return view.now

    def plan(self, requests: Any, capacity: int, rng: Any) -> Plan:
        return Plan(memory=np.zeros(1))

    def evict(self, view: View, out: Any) -> int:
        fresh = 0
        for r in view.requests:
            if view.now - 1.0 < r.arrival <= view.now and r.turn == 0 and r.evictions == 0:
                fresh += 1
        need = fresh - (view.free + 0) if view.now >= 2.0 else 0
        count, freed = 0, 0
        while freed < need:
            newest = -1
            for r in view.running:
                taken = False
                for y in range(count):
                    taken = taken or out[y] == r.id
                if not taken and (newest < 0 or view.requests[r.id].turn > view.requests[newest].turn):
                    newest = r.id
            out[count] = newest
            freed += 2
            count += 1
        return count

    def admit(self, view: View, i: int) -> int:
        return 0 if view.requests[i].prompt <= view.free else STOP


def test_the_published_cascade_of_evictions():
    # three residents at their last stage and six fresh; then four arrivals an iteration: two are evicted for them
    rows = [(0, 1, 1)] * 3 + [(0.5, 1, 1)] * 6 + [(2, 1, 1)] * 4
    result = run(rows, Cascade(), 12)
    assert result.finish[:3].tolist() == [2, 2, 2]
    assert result.evictions.sum() == 2 and result.evictions[3:9].sum() == 2
    assert result.peak_tokens == 12
    assert sorted(result.finish[3:9].tolist())[:4] == [3, 3, 3, 3]
    assert result.start[9:].tolist() == [2, 2, 2, 2]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 9), st.integers(0, 8), st.integers(1, 6)), min_size=1, max_size=8),
    st.sampled_from(["fcfs", "svf", "mc-sf", "sjf"]),
)
def test_everybody_finishes_and_plain_python_agrees(rows, policy):
    result = run(sorted(rows), policy, 16, LinearStep(0.5, 0.01))
    assert result.completed == len(rows) and result.peak_tokens <= 16
    assert np.all(result.start >= result.arrival)
    assert np.all(result.finish - result.start >= 0.5 * (result.output + 1) - 1e-9)
    again = run(sorted(rows), policy, 16, LinearStep(0.5, 0.01), compiled=False)
    assert np.array_equal(result.finish, again.finish)


def test_bad_steps_and_policies_are_one_line():
    with pytest.raises(InputError, match="fixed time"):
        LinearStep(-1, 0)
    with pytest.raises(PolicyError, match="--prefill charged"):
        simulate(Trace.of([(0, 1, 1)]), EveryOther(), rounds(capacity=5))
