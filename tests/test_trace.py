"""Traces: what is refused, and what can be done with them."""

import numpy as np
import pytest

from plimsoll.errors import CapacityError, InputError
from plimsoll.trace import Trace


def test_volume_and_peak():
    trace = Trace.of([(0, 2, 3), (1, 4, 1)])
    assert trace.volume.tolist() == [3 + 4 + 5, 5]
    assert trace.peak.tolist() == [5, 5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no requests"),
        ([(0, 1, 1), (-1, 1, 1)], "row 2, column arrival: -1 is negative"),
        ([(0, 1, 1), (float("nan"), 1, 1)], "row 2, column arrival: nan is not a finite number"),
        ([(0, -1, 1)], "row 1, column prompt: -1 is negative"),
        ([(0, 1, 0)], "row 1, column output: 0 is less than"),
        ([(0, 1, 1.5)], "row 1: 1.5 is not a whole number"),
        ([(0, 1, 2**31)], "not a whole number of tokens up to 2147483647"),
        ([(5, 1, 1), (4, 1, 1)], r"row 2, column arrival: 4 comes after 5 \(row 1\)"),
    ],
)
def test_bad_rows_are_named(rows, message):
    with pytest.raises(InputError, match=message):
        Trace.of(rows)


def test_columns_of_unlike_length_are_refused():
    with pytest.raises(InputError, match="column extra has 3 rows, prompt 2"):
        Trace(np.zeros(2), np.ones(2, int), np.ones(2, int), more={"extra": np.zeros(3)})


def test_each_session_has_its_own_clock():
    lengths = np.ones(4, dtype=np.int64)
    Trace(np.array([0.0, 5, 0, 5]), lengths, lengths, session=np.array([0, 0, 1, 1]))
    with pytest.raises(InputError, match=r"row 3, .*: 1 comes after 5 \(row 1\).*within a session"):
        Trace(np.array([5.0, 0, 1, 2]), lengths, lengths, session=np.array([0, 1, 0, 1]))


def test_agents_inside_a_session_have_their_own_clock():
    lengths = np.ones(3, dtype=np.int64)
    session = np.zeros(3, dtype=np.int64)
    trace = Trace(np.array([0.0, 9, 1]), lengths, lengths, session=session, more={"sub": np.array([0, 0, 1])})
    assert len(trace) == 3


def test_head_keeps_every_column():
    trace = Trace(np.arange(3.0), np.arange(3), np.arange(1, 4), client=np.arange(3), more={"x": np.array([7, 8, 9])})
    first = trace.head(2)
    assert first.output.tolist() == [1, 2]
    assert first.client is not None
    assert first.client.tolist() == [0, 1]
    assert first.more["x"].tolist() == [7, 8]
    assert trace.head(9) is trace
    with pytest.raises(InputError, match="at least 1"):
        trace.head(0)


def test_at_rate_stretches_time():
    trace = Trace.of([(2, 1, 1), (3, 1, 1), (6, 1, 1)]).at_rate(4)
    assert trace.arrival.tolist() == [0.25, 0.375, 0.75]
    with pytest.raises(InputError, match="positive number"):
        trace.at_rate(0)
    with pytest.raises(InputError, match="all requests arrive at once"):
        Trace.of([(0, 1, 1), (0, 1, 1)]).at_rate(3)


def test_requests_that_can_never_fit():
    trace = Trace.of([(0, 2, 3), (0, 9, 9), (1, 4, 7)])
    with pytest.raises(CapacityError, match=r"2 of 3 requests can never fit in 10 tokens \(first: row 2"):
        trace.fitting(10)
    kept, dropped = trace.fitting(10, drop=True)
    assert (kept.prompt.tolist(), dropped) == ([2], 2)
    assert trace.fitting(18) == (trace, 0)
    with pytest.raises(CapacityError, match="3 of 3"):
        trace.fitting(4, drop=True)
