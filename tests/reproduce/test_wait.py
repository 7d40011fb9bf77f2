"""Parts of the WAIT experiments against what is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from plimsoll import Trace
from plimsoll.errors import InputError
from plimsoll.policy.load import load_policy
from plimsoll.policy.view import REQUEST, records
from plimsoll.reproduce import wait, wait_engine
from plimsoll.reproduce.lab import Cells, Lab
from plimsoll.reproduce.ledger import IN_SHAPE, NOT_REPRODUCED, REPRODUCED

LAB = Lab(True, Cells(None))


def test_the_published_table_of_fluid_memory_follows_from_two_of_its_rows():
    found = wait._table(LAB)
    assert found.verdict == REPRODUCED
    assert found.measured["M* at 70/s"] == pytest.approx(100_327, rel=1e-3)
    assert found.measured["crossing (1/s)"] == pytest.approx(74.14, abs=0.05)


def test_the_printed_step_time_saturates_below_the_printed_rates():
    found = wait._units(LAB)
    assert found.verdict == NOT_REPRODUCED
    assert found.measured["saturation as printed (1/s)"] == pytest.approx(7.93, abs=0.01)


def test_admitting_what_fits_completes_three_in_an_iteration_and_wait_four():
    found = wait._cascade(LAB)
    assert found.verdict == IN_SHAPE
    assert list(found.measured.values()) == pytest.approx([3, 4], abs=0.03)


def test_wait_holds_what_its_cap_says_on_a_steady_stream():
    trace = wait_engine._trace("single", 15.0, 400, 1)
    policy = load_policy(wait_engine._wait(trace, 42))
    requests = records(len(trace), REQUEST)
    requests["prompt"], requests["predicted"], requests["arrival"] = trace.prompt, trace.output, trace.arrival
    _, count, _ = policy.thresholds(requests, wait_engine.CAPACITY)
    assert count * 21 == pytest.approx([42], rel=0.02)


def test_engines_and_wait_run_on_one_step_time():
    trace = wait_engine._trace("two types", 2.0, 60, 1)
    engine, alone = (wait_engine._served(trace, mode, 20, "wait:types=2,threshold=1") for mode in ("sarathi", "wait"))
    assert 0.2 < engine < alone  # hardly anybody is there: waiting for another of one's type costs latency


def test_chat_lengths_have_the_published_quantiles():
    trace = wait_engine._mix(LAB, 20_000, 50.0)
    assert trace.prompt.max() < 500 and trace.output.max() < 500
    assert (trace.output <= 50).mean() == pytest.approx(0.31, abs=0.01)
    assert np.median(trace.output) == pytest.approx(116, abs=3) and np.median(trace.prompt) == pytest.approx(21, abs=1)
    assert (trace.output > 300).mean() == pytest.approx(0.14, abs=0.01)
    with pytest.raises(InputError, match="long: no request has both lengths below 500 tokens"):
        wait_engine._mix(Lab(True, Cells(None), Trace.of([(0, 9, 800)], "long")), 5, 1.0)
