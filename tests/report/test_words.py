"""The sentences at the top say what the numbers say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plimsoll import Trace, rounds
from plimsoll.experiment.run import compare
from plimsoll.report.words import baseline, number, summary


def test_a_gain_is_told_with_its_numbers_and_limit(comparison):
    _, runs = comparison
    fcfs = next(r for r in runs if r.policy == "fcfs")
    best = runs[0]
    text = " ".join(summary(runs))
    assert baseline(runs) is fcfs
    assert text.startswith(f"{best.policy} brings the mean latency from {number(fcfs.result.latency.mean())} rounds")
    assert f"{number(fcfs.result.latency.mean() / best.result.latency.mean())} times less" in text
    assert f"below {number(best.lower_bound_total / len(best.result))} rounds" in text


def test_nothing_can_help_where_memory_does_not_bind():
    trace = Trace.of([(10 * k, 2, 3) for k in range(20)])
    lines = summary(compare(trace, ["fcfs", "svf"], rounds(capacity=1000, rounds_per_s=1)))
    assert lines[0] == "Nothing can help here: memory does not bind."
    assert (
        lines[1]
        == "No policy tried beats fcfs: mean latency 3 rounds, the least that any schedule whatever could reach."
    )


def test_memory_that_never_fills_without_a_bound():
    trace = Trace.of([(10 * k, 2, 3) for k in range(20)])
    runs = compare(trace, ["fcfs", "svf"], rounds(capacity=1000, rounds_per_s=1))
    lines = summary([replace(r, lower_bound_total=None) for r in runs])
    assert lines[0].startswith("Nothing can help here") and "The cache is never more than" in lines[1]


def test_what_is_left_without_knowing_lengths_is_said(comparison):
    _, runs = comparison
    fcfs, best = next(r for r in runs if r.policy == "fcfs"), runs[0]

    def said(*more):
        return next(line for line in summary([*runs, *more]) if line.startswith("svf is told every output length"))

    times = number(fcfs.result.latency.mean() / best.result.latency.mean())
    guessed = said(replace(best, policy="load-line", predictor="law"))
    assert guessed.endswith(f"rounds: {times} times less than fcfs.") and "load-line (law) brings" in guessed
    assert said(replace(fcfs, policy="a", predictor="law")).endswith("without that, nothing tried here beats fcfs.")
    assert said().endswith("--predictor tells what it brings with predictions.")


def test_slow_requests_that_pay_are_named(comparison):
    _, runs = comparison
    fcfs = next(r for r in runs if r.policy == "fcfs")
    tails = [float(np.percentile(r.result.latency, 99)) for r in (runs[0], fcfs)]
    assert tails[0] > 1.02 * tails[1]
    line = f"Its slowest requests pay: p99 latency is {number(tails[0])} rounds, against {number(tails[1])} rounds"
    assert any(said.startswith(line) for said in summary(runs))


def test_an_unstable_run_is_said_to_be_unstable(comparison):
    _, runs = comparison
    broken = replace(runs[-1], result=replace(runs[-1].result, status="unstable", reason="it went on and on"))
    assert "did not finish: it went on and on" in summary([*runs[:-1], broken])[-1]
    assert summary([broken])[0] == "No policy finished this trace."


def test_numbers_read_well():
    assert [number(v) for v in (1234.5, 123.45, 12.345, 200.0, 0.001234)] == [
        "1,234",
        "123.5",
        "12.3",
        "200",
        "0.00123",
    ]
    assert number(float("nan")) == "–"
