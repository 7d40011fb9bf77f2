"""Goodput by hand."""

from plimsoll import Trace, serving, simulate
from plimsoll.metrics import goodput
from plimsoll.steptime import unit


def test_only_requests_within_every_limit_count():
    """Finishes at 2, 3 and 4; the third waits two steps for its first token."""
    trace = Trace.of([(0, 3, 2), (0, 2, 3), (1, 6, 2)])
    done = simulate(trace, "fcfs", serving(steptime=unit(), blocks=10, block_size=1))
    assert goodput(done) == 3 / 4
    assert goodput(done, ttft_s=1.0) == 2 / 4
    assert goodput(done, ttft_s=1.0, latency_s=2.0) == 1 / 4
    assert goodput(done, tpot_s=0.5) == 0
