"""Bands of single requests against a hand-solved run."""

from __future__ import annotations

import numpy as np
import pytest

from plimsoll import Trace, rounds
from plimsoll.experiment.run import compare
from plimsoll.report.bands import MOST_STAYS, outlines, stays
from plimsoll.report.curve import Line, wedges

from .conftest import crowded


def area(outline):
    x, y = outline.T
    return abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def test_a_hand_solved_stack():
    # Both start at 0; the one that stays for 3 rounds lies below the other, which leaves after 2.
    trace = Trace.of([(0, 2, 2), (0, 2, 3)])
    w = wedges(compare(trace, ["fcfs"], rounds(capacity=20, rounds_per_s=1))[0].result)
    short, long = (next(o for k, o in zip(w.id, outlines(w), strict=True) if k == i) for i in (0, 1))
    assert long.tolist() == [[0, 0], [3, 0], [3, 5], [0, 2]]
    assert short.tolist() == [[0, 2], [2, 4], [2, 8], [0, 4]]


def test_bands_fill_the_memory_that_is_held(comparison):
    for run in comparison[1]:
        w = wedges(run.result)
        drawn = outlines(w)
        sizes = (w.stop - w.start) * (w.held + w.grown / 2)
        assert [area(outline) for outline in drawn] == pytest.approx(sizes)
        ends = np.unique(w.stop)
        tops = [max(o[o[:, 0] == t, 1].max() for o in drawn if (o[:, 0] == t).any()) for t in ends]
        assert (np.array(tops) >= Line.of(w).at(ends) - 1e-6).all()
        assert max(o[:, 1].max() for o in drawn) == pytest.approx(run.result.peak_tokens)


def test_many_or_small_bands_are_left_to_classes():
    def told(requests, capacity=450):
        trace = crowded(requests)
        result = compare(trace, ["fcfs"], rounds(capacity=capacity, rounds_per_s=1))[0].result
        w = wedges(result)
        return stays(w, np.zeros(requests, np.int64), (0.0, float(w.stop.max())), capacity)

    few = told(40)
    assert few is not None and len(few.outlines) == len(few.classes) >= 40
    assert told(MOST_STAYS + 1) is None
    assert told(40, capacity=45_000) is None
