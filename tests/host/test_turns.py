"""Sessions, clients that give up, and cut outputs."""

import numpy as np
import pytest

from plimsoll import Trace, simulate
from plimsoll.host.serving import Serving
from plimsoll.steptime import unit

HOST = {"steptime": unit(), "blocks": 100, "block_size": 1}


def session(rows, sessions, **more) -> Trace:
    plain = Trace.of(rows)
    return Trace(plain.arrival, plain.prompt, plain.output, session=np.array(sessions), more=more)


def test_a_turn_waits_for_the_one_before_and_some_thought():
    trace = session([(0, 5, 4), (0, 5, 2)], [7, 7], think_s=np.array([np.nan, 2.5]))
    done = simulate(trace, "fcfs", Serving(closed_loop=True, **HOST))
    assert done.arrival.tolist() == [0, 6.5]
    assert done.finish.tolist() == [4, 8.5]


def test_without_think_times_the_recorded_gap_counts():
    trace = session([(0, 5, 4), (3, 5, 2)], [1, 1])
    done = simulate(trace, "fcfs", Serving(closed_loop=True, **HOST))
    assert done.arrival.tolist() == [0, 7]
    assert simulate(trace, "fcfs", Serving(**HOST)).arrival.tolist() == [0, 3]


def test_sessions_do_not_wait_for_one_another():
    trace = session([(0, 5, 9), (0, 5, 2), (1, 5, 1)], [1, 2, 2])
    done = simulate(trace, "fcfs", Serving(closed_loop=True, **HOST))
    assert done.arrival.tolist() == [0, 0, 3]
    assert done.finish.tolist() == [9, 2, 4]


def test_a_sub_agent_starts_by_its_session_s_clock():
    more = {"sub": np.array([0, 1, 1]), "sub_start_s": np.array([0.0, 30.0, 30.0])}
    trace = session([(0, 5, 2), (0, 5, 2), (4, 5, 1)], [1, 1, 1], **more)
    done = simulate(trace, "fcfs", Serving(closed_loop=True, **HOST))
    assert done.arrival.tolist() == [0, 30, 36]


def test_clients_give_up_waiting_or_running():
    """The first runs 10 steps; the second waits for its memory and gives up; the third does not wait that long."""
    trace = Trace.of([(0, 90, 10), (1, 90, 5), (8, 5, 2)])
    done = simulate(trace, "fcfs", Serving(timeout_s=6.0, **HOST))
    assert done.more["cancelled"] == 2
    assert np.isnan(done.finish[:2]).all()
    assert done.finish[2] == 10


def test_a_trace_may_say_when_clients_give_up():
    plain = Trace.of([(0, 5, 10), (0, 5, 10)])
    trace = Trace(plain.arrival, plain.prompt, plain.output, more={"cancel_s": np.array([3.0, np.nan])})
    done = simulate(trace, "fcfs", Serving(**HOST))
    assert np.isnan(done.finish[0])
    assert done.finish[1] == 10


def test_outputs_are_cut():
    done = simulate(Trace.of([(0, 5, 10)]), "fcfs", Serving(max_tokens=4, **HOST))
    assert done.finish.tolist() == [4]


def test_static_batches_answer_at_their_end_and_do_not_mix():
    trace = Trace.of([(0, 5, 2), (0, 5, 6), (1, 5, 1)])
    done = simulate(trace, "fcfs", Serving(mode="static", **HOST))
    assert done.finish.tolist() == [6, 6, 7]


def test_prompts_come_first_in_the_old_engine():
    """vLLM V0: the second prompt has a step of its own, in which the first request gets no token."""
    trace = Trace.of([(0, 5, 4), (1, 5, 4)])
    done = simulate(trace, "fcfs", Serving(mode="vllm-v0", **HOST))
    assert done.finish.tolist() == [5, 5]


def test_orca_reserves_the_longest_output():
    trace = Trace.of([(0, 40, 20), (0, 40, 20)])
    done = simulate(trace, "fcfs", Serving(mode="orca", **HOST))
    assert done.start.tolist() == [0, 20]
    assert done.evictions.sum() == 0


@pytest.mark.parametrize("overlapped", [False, True])
def test_an_arrival_counts_one_step_later_when_scheduling_overlaps(overlapped: bool):
    trace = Trace.of([(0, 5, 10), (1.5, 5, 1)])
    done = simulate(trace, "fcfs", Serving(async_scheduling=overlapped, **HOST))
    assert done.first_token[1] == (4 if overlapped else 3)
