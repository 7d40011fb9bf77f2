"""Pictures in characters, cell by cell."""

from __future__ import annotations

import numpy as np
import pytest

from plimsoll import Trace, rounds, simulate
from plimsoll.cli import app
from plimsoll.report.terminal import columns, memory_columns, queue_sparklines, sampled_columns, sparkline


def test_sparkline_by_eighths():
    assert sparkline([0, 1, 2, 4, 7.5, 8], 8) == " ▁▂▄██"
    assert sparkline([0.001], 8) == "▁"
    assert sparkline([0, 0], 0) == "  "


def test_queues_share_a_scale():
    hand = Trace.of([(0, 2, 2), (0, 2, 3), (1, 4, 1)])
    small = simulate(hand, "fcfs", rounds(capacity=10, rounds_per_s=1))
    assert queue_sparklines([small], width=3) == ["██ "]  # one waits from 1 until 2


def test_columns_stack_classes_from_the_bottom():
    parts = np.array([[4.0, 0.0, 0.0], [4.0, 2.0, 0.0]])
    top, bottom = columns(parts, 8, 2)
    assert [c for c, _ in top] == ["█", " ", " "]
    assert [c for c, _ in bottom] == ["█", "▄", " "]
    assert [k for _, k in bottom] == [0, 1, -1]
    assert [k for _, k in top] == [1, -1, -1]


def test_memory_columns_keep_the_peak(comparison):
    _, runs = comparison
    for run in runs:
        parts, _ = memory_columns(run.result, 40)
        assert parts.shape == (7, 40)
        assert parts.sum(axis=0).max() == pytest.approx(run.result.peak_tokens)


def test_what_was_seen_fills_the_columns():
    assert sampled_columns([0, 1, 2, 8], [5, 9, 4, 6], 4).tolist() == [[9, 4, 4, 6]]
    assert sampled_columns([3], [5], 2).tolist() == [[5, 5]]


def test_watch_draws_on_stderr_and_leaves_stdout_to_json(capsys):
    app(
        ["run", "azure-conv", "--requests", "200", "--policy", "svf", "--watch", "--json"], result_action="return_value"
    )
    told = capsys.readouterr()
    assert told.out.startswith('{"schema": 1') and told.out.count("\n") == 1
    assert "svf: memory, by wait before the start" in told.err
    assert "65,000 ━" in told.err and "█" in told.err
