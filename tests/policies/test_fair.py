"""The virtual token counter."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate


def trace_of(rows):
    """A trace of (arrival, prompt, output, client)."""
    arrival, prompt, output, client = (np.array(column) for column in zip(*rows, strict=True))
    return Trace(arrival.astype(float), prompt, output, "clients", client=client)


def test_a_small_client_does_not_wait_for_a_large_ones_queue():
    rows = [(0, 5, 5, 0), (0, 5, 5, 0), (0, 5, 5, 0), (1, 5, 5, 1)]
    host = rounds(capacity=10, rounds_per_s=1)
    assert simulate(trace_of(rows), "fcfs", host).finish.tolist() == [5, 10, 15, 20]
    assert simulate(trace_of(rows), "vtc", host).finish.tolist() == [5, 15, 20, 10]


def test_a_client_that_was_away_gets_no_credit():
    """Client 1 comes when client 0 has been served 30 tokens' worth, and from then on they take turns."""
    rows = [(0, 5, 5, 0)] * 4 + [(6, 5, 5, 1)] * 3
    result = simulate(trace_of(rows), "vtc", rounds(capacity=10, rounds_per_s=1))
    served = np.argsort(result.finish)
    assert [rows[i][3] for i in served] == [0, 0, 0, 1, 0, 1, 1] or [rows[i][3] for i in served] == [
        0,
        0,
        1,
        0,
        1,
        0,
        1,
    ]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9), st.integers(1, 10), st.integers(0, 3)), min_size=1))
def test_serves_everyone_the_same_compiled_or_not(rows):
    trace = trace_of(sorted(rows))
    host = rounds(capacity=20, rounds_per_s=1)
    fast, slow = (simulate(trace, "vtc", host, compiled=way) for way in (True, False))
    assert fast.completed == len(trace)
    np.testing.assert_array_equal(fast.finish, slow.finish)
