"""Memory and queue curves against hand-solved runs and against a count of every round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate
from plimsoll.report.curve import Line, first_start, peaks, redone, stacked, waiting, wedges

# Requests (arrival, prompt, output); capacity 10, FCFS: both first ones start at 0, hold 3 + 3 tokens in round 1 and
# 4 + 4 in round 2; the third fits only when the first has left after round 2.
HAND = [(0, 2, 2), (0, 2, 3), (1, 4, 1)]


def held(result, t):
    """Tokens in round t, request by request."""
    total = 0
    for i, start, stop, kept in result.attempts:
        if start < t <= stop:
            total += result.prompt[i] + kept + t - start
    return total


def run(requests, capacity=10, policy="fcfs"):
    return simulate(Trace.of(requests), policy, rounds(capacity=capacity, rounds_per_s=1))


def test_hand_solved_wedges_and_memory():
    result = run(HAND)
    w = wedges(result)
    assert w.id.tolist() == [0, 1, 2]
    assert w.start.tolist() == [0, 0, 2]
    assert w.stop.tolist() == [2, 3, 3]
    assert w.held.tolist() == [2, 2, 4]
    assert Line.of(w).at(np.array([0.0, 1, 2, 3, 4])).tolist() == [0, 6, 8, 10, 0]
    assert Line.of(w).count(np.array([0.0, 1, 2, 3, 4])).tolist() == [0, 2, 2, 2, 0]


def test_hand_solved_queue():
    result = run(HAND)
    assert waiting(result, wedges(result), np.array([-1.0, 0, 1, 2, 3])).tolist() == [0, 1, 1, 0]


def test_first_start_is_nan_where_never_started():
    result = run(HAND)
    w = wedges(result)
    assert first_start(result, w.keep(w.id != 1)).tolist()[::2] == [0, 2]
    assert np.isnan(first_start(result, w.keep(w.id != 1))[1])


requests = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 8), st.integers(1, 8)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(requests, st.sampled_from(["fcfs", "svf", "sjf", "mc-benchmark"]), st.integers(16, 40))
def test_curve_is_the_count_of_every_round(rows, policy, capacity):
    result = run(sorted(rows), capacity, policy)
    w = wedges(result)
    line = Line.of(w)
    last = int(result.finish.max())
    times = np.arange(0.0, last + 1)
    true = [held(result, t) for t in range(last + 1)]
    assert line.at(times).tolist() == true
    assert max(true) == result.peak_tokens


@settings(max_examples=60, deadline=None)
@given(requests, st.integers(16, 24), st.integers(1, 9))
def test_no_peak_is_lost_in_bins(rows, capacity, bins):
    result = run(sorted(rows), capacity)
    w = wedges(result)
    edges = np.linspace(0, result.finish.max(), bins + 1)
    moment, use = peaks(Line.of(w), edges)
    assert use.max() == result.peak_tokens
    for a, b, most, at in zip(edges, edges[1:], use, moment, strict=False):
        inside = [held(result, t) for t in range(int(np.floor(a)) + 1, int(np.floor(b)) + 1)]
        assert most >= max(inside, default=0)
        assert a < at <= b


@settings(max_examples=40, deadline=None)
@given(requests, st.integers(16, 24))
def test_classes_add_up_and_evictions_are_counted(rows, capacity):
    result = run(sorted(rows), capacity)
    w = wedges(result)
    edges = np.linspace(0, result.finish.max(), 8)
    moment, use = peaks(Line.of(w), edges)
    parts = stacked(w, np.arange(len(result)) % 3, 3, moment)
    assert parts.sum(axis=0) == pytest.approx(use)
    assert w.evicted.sum() == result.evictions.sum()
    assert (redone(w, result) > 0).sum() <= result.evictions.sum()


def test_an_eviction_recomputes_prompt_and_lost_output():
    # Capacity 7: both start at 0, hold 2 + 2 and grow to 3 + 3; round 3 would need 8, so the newest goes back
    # after 2 tokens and later computes its prompt of 1 and those 2 tokens again.
    result = run([(0, 1, 3), (0, 1, 4)], capacity=7)
    assert result.evictions.tolist() == [0, 1]
    assert redone(wedges(result), result).tolist() == [0, 0, 3]


def test_a_clock_in_seconds_keeps_the_steps_exact():
    # Steps 0, 1, 2, 3 at 0, 1, 4, 5 s: the hand-solved run, told in seconds; between two events tokens come evenly.
    result = run(HAND)
    seconds = np.array([0.0, 1, 4, 5])
    at = {name: seconds[getattr(result, name).astype(int)] for name in ("arrival", "start", "finish")}
    w = wedges(replace(result, unit="s", **at))
    assert w.start.tolist() == [0, 0, 4]
    assert w.stop.tolist() == [4, 5, 5]
    assert Line.of(w).at(np.array([0.0, 2, 4, 5])).tolist() == [0, 6, 8, 10]  # half-way to the next event, one token
    assert peaks(Line.of(w), np.array([0.0, 4, 5]))[1].tolist() == [8, 10]
