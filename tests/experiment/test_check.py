"""Simulation against an engine's log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from plimsoll.engine.record import read_log
from plimsoll.errors import InputError
from plimsoll.experiment.check import check
from plimsoll.host.discrete import Rounds
from plimsoll.host.serving import Serving
from plimsoll.simulation import simulate
from plimsoll.trace import Trace

TRACE = Trace.of([(0.0, 10, 4), (0.0, 10, 2), (1.0, 5, 3)])


def log_of(path: Path, latency: list[float]) -> Trace:
    rows = zip(TRACE.arrival, TRACE.prompt, TRACE.output, latency, strict=True)
    lines = [
        {"arrival_s": a, "prompt_tokens": int(s), "output_tokens": int(o), "latency_s": late, "preemptions": 0}
        for a, s, o, late in rows
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_log(path)


def test_a_log_of_the_simulation_itself_agrees(tmp_path: Path) -> None:
    result = simulate(TRACE, "fcfs", Serving(blocks=100, steptime="linear:0.1:0.001"))
    rows = check(log_of(tmp_path / "log", result.latency.tolist()), result)
    assert {row.name: row.difference for row in rows if row.engine} == {
        **{f"latency {figure}": pytest.approx(0) for figure in ("mean", "p50", "p95", "p99")},
        "requests": 0,
    }
    slower = check(log_of(tmp_path / "log", (2 * result.latency).tolist()), result)
    assert slower[0].difference == pytest.approx(-0.5)


def test_rounds_are_no_seconds(tmp_path: Path) -> None:
    result = simulate(TRACE, "fcfs", Rounds(capacity=1000))
    with pytest.raises(InputError, match="check compares seconds"):
        check(log_of(tmp_path / "log", [1.0, 1.0, 1.0]), result)


def test_a_log_without_latencies(tmp_path: Path) -> None:
    result = simulate(TRACE, "fcfs", Serving(blocks=100, steptime="linear:0.1:0.001"))
    bare = Trace(TRACE.arrival, TRACE.prompt, TRACE.output, more={"wait_s": np.zeros(3)})
    with pytest.raises(InputError, match="no latencies"):
        check(bare, result)
