"""The fluid picture: closed forms, and against simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plimsoll import Trace, rounds, serving, simulate
from plimsoll.experiment.run import compare
from plimsoll.report.fluid import fluid, sustained
from plimsoll.report.panels import see
from plimsoll.steptime import unit

MACHINE = serving(steptime="linear:0.01:0.0001", blocks=120, block_size=1)


def stream(requests: int, rate: float) -> Trace:
    rng = np.random.default_rng(5)
    gaps = rng.exponential(1 / rate, requests)
    return Trace(np.cumsum(gaps), rng.integers(1, 9, requests), rng.integers(2, 20, requests))


def test_unit_steps_by_hand():
    """Prompt 3, output 2: a request holds 3 + 4 tokens and half a block more in each of 2 steps."""
    trace = Trace.of([(0, 3, 2), (1, 3, 2)])
    host = serving(steptime=unit(), blocks=16, block_size=1)
    assert sustained(trace, host, np.array([8.0, 16.0])) == pytest.approx([1.0, 2.0])
    assert sustained(trace, replace(host, max_num_seqs=2), np.array([8.0, 16.0])).tolist() == [1.0, 0.0]


def test_the_edge_is_what_the_host_finishes_when_it_is_overloaded():
    trace = stream(4000, 1.0)
    edge = sustained(trace, MACHINE, np.linspace(0, MACHINE.capacity, 101)[1:]).max()
    for rate, expected in ((0.75 * edge, 0.75 * edge), (1.5 * edge, edge)):
        result = simulate(trace.at_rate(rate), "fcfs", MACHINE)
        done = (result.finish <= result.arrival[-1]).sum() / np.ptp(result.arrival)
        assert done == pytest.approx(expected, rel=0.1)


def test_both_hosts_have_one_and_a_burst_has_none():
    trace = stream(200, 2.0)
    for host in (MACHINE, rounds(capacity=120)):
        panel = fluid(trace, see(compare(trace, ["fcfs"], host)))
        assert panel is not None and [m.axis for m in panel.marks] == ["y", "x"]
        need = panel.series[0]
        assert (np.diff(need.y) > 0).all() and need.x[0] == 0 and need.x[-1] == need.x.max()
    burst = replace(trace, arrival=np.zeros(len(trace)))
    for host in (MACHINE, rounds(capacity=120)):
        assert fluid(burst, see(compare(burst, ["fcfs"], host))) is None


def test_modes_that_no_fluid_describes_have_none():
    trace = stream(100, 2.0)
    for host in (replace(MACHINE, mode="static"), replace(MACHINE, prefix_caching=True)):
        assert fluid(trace, see(compare(trace, ["fcfs"], host))) is None
