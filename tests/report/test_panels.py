"""Panels against hand-solved runs."""

from __future__ import annotations

import numpy as np
import pytest

from plimsoll import Trace, rounds
from plimsoll.experiment.attainment import Limits, attainment
from plimsoll.experiment.run import compare
from plimsoll.report.panels import all_panels, see
from plimsoll.trace import mean_rate

# Capacity 10, FCFS: the first two start at 0 and finish at 2 and 3; the third (prompt 4) starts at 2, finishes at 3.
HAND = Trace.of([(0, 2, 2), (0, 2, 3), (1, 4, 1)], "hand")


def panels_of(trace, policies=("fcfs",), capacity=10, predictors=("exact",)):
    runs = compare(trace, policies, rounds(capacity=capacity, rounds_per_s=1), predictors)
    return {p.name: p for p in all_panels(trace, see(runs))}


def test_hand_solved_distributions():
    panels = panels_of(HAND)
    cdf = panels["latency-cdf"].series[0]
    assert cdf.x.tolist() == [2, 2, 3]
    assert cdf.y.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    tail = panels["latency-tail"].series[0]
    assert tail.x.tolist() == [2, 2]
    assert tail.y.tolist() == pytest.approx([2 / 3, 1 / 3])


def test_hand_solved_memory_and_queue():
    panels = panels_of(HAND)
    assert panels["memory"].series[0].y.max() == 10
    assert panels["memory"].marks[0].at == 10
    assert panels["queue"].series[0].y.max() == 1


def test_panels_without_anything_to_show_are_left_out():
    names = set(panels_of(HAND))
    assert {"evictions", "recomputed", "ttft", "tpot", "predictors"}.isdisjoint(names)
    assert {"memory", "queue", "latency-cdf", "bound", "fluid"} <= names


def test_a_burst_has_no_fluid_picture():
    assert "fluid" not in panels_of(Trace.of([(0, 2, 2), (0, 2, 3)]))


def test_evictions_add_up():
    # Capacity 7: the second goes back once, after 2 tokens, and computes its prompt of 1 and those 2 again.
    panels = panels_of(Trace.of([(0, 1, 3), (0, 1, 4)]), capacity=7)
    assert panels["evictions"].series[0].y[-1] == 1
    assert panels["recomputed"].series[0].y[-1] == 3


def test_heat_map_has_a_cell_for_each_pair(comparison):
    trace, _ = comparison
    panel = panels_of(trace, ("fcfs", "svf"), 450, ("exact", "noisy:0.5"))["predictors"]
    assert panel.cells is not None and panel.cells.shape == (2, 2)
    assert np.isfinite(panel.cells).all()
    assert panel.table().shape == (4, 4)


def test_no_heat_map_of_predictors_that_policies_bring_themselves(comparison):
    trace, _ = comparison
    runs = compare(trace, ["fcfs", "load-line"], rounds(capacity=450, rounds_per_s=1))
    assert len({r.predictor for r in runs}) == 2
    assert "predictors" not in {p.name for p in all_panels(trace, see(runs))}


def test_attainment_has_a_point_for_each_rate(comparison):
    trace, runs = comparison
    host = rounds(capacity=450, rounds_per_s=1)
    found = attainment(trace, ["svf", "fcfs"], host, [0.5, 1.0], Limits(latency=50.0))
    panels = {p.name: p for p in all_panels(trace, see([r for r in runs if r.policy != "mc-benchmark"]), found)}
    panel = panels["attainment"]
    assert [s.name for s in panel.series] == ["svf", "fcfs"]
    assert panel.table().shape == (4, 4)
    assert panel.marks[0].at == pytest.approx(mean_rate(trace.arrival))
    assert "latency ≤ 50 rounds" in panel.note


def test_distributions_keep_the_largest_of_many():
    rng = np.random.default_rng(1)
    trace = Trace(np.sort(rng.uniform(0, 9000, 3000)), rng.integers(1, 9, 3000), rng.integers(1, 40, 3000), "many")
    panels = panels_of(trace, capacity=60)
    cdf = panels["latency-cdf"].series[0]
    runs = compare(trace, ["fcfs"], rounds(capacity=60, rounds_per_s=1))
    latency = runs[0].result.latency
    assert len(cdf.x) <= 501
    assert cdf.x[-1] == latency.max()
    for x, share in zip(cdf.x, cdf.y, strict=True):
        assert (latency <= x).mean() >= share - 1e-12 and (latency < x).mean() <= share


def test_every_panel_has_units_and_a_table(comparison):
    trace, runs = comparison
    for panel in all_panels(trace, see(runs)):
        assert panel.note.endswith(".")
        assert panel.table().columns == ["panel", "series", "x", "y"]
        if panel.x.time:
            assert panel.x.unit == "rounds"
