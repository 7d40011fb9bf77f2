"""Service level attainment by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plimsoll import Trace, rounds
from plimsoll.cli import app
from plimsoll.errors import InputError
from plimsoll.experiment.attainment import Limits, attainment

# Capacity 3 holds one of these at a time. At one a round each waits for those before it; at half the rate nobody does.
LINE = Trace.of([(0, 1, 2), (1, 1, 2), (2, 1, 2), (3, 1, 2)])


def test_hand_solved_line():
    """At 1 a round latencies are 2, 3, 4, 5; at 1/2 they are all 2."""
    host = rounds(capacity=3, rounds_per_s=1)
    (found,) = attainment(LINE, ["fcfs"], host, [1.0, 0.5], Limits(latency=3))
    assert found.rates.tolist() == [0.5, 1.0] and found.share.tolist() == [1.0, 0.5]
    assert found.own == 1.0
    (found,) = attainment(LINE, ["fcfs"], host, [1.0], Limits(ttft=1))
    assert found.share.tolist() == [0.25]


def test_what_never_finishes_attains_nothing():
    host = rounds(capacity=10, rounds_per_s=1, max_rounds=2)
    (found,) = attainment(LINE, ["fcfs"], host, [1.0], Limits())
    assert 0 < found.share[0] < 1


@pytest.mark.parametrize(
    "text", ["", "latency", "latency<=x", "latency<=0", "speed<=3", "latency=3", "ttft<=1;tpot<=1"]
)
def test_limits_that_cannot_be_read_are_one_line(text):
    with pytest.raises(InputError, match="--slo must be as"):
        Limits.parse(text)


def test_limits_in_words():
    limits = Limits.parse("ttft<=2,latency<=60")
    assert limits == Limits(2.0, np.inf, 60.0)
    assert limits.words("s") == "TTFT ≤ 2 s and latency ≤ 60 s"


def test_a_burst_has_no_rate_to_change():
    with pytest.raises(InputError, match="all requests arrive at once"):
        attainment(Trace.of([(0, 1, 1), (0, 1, 1)]), ["fcfs"], rounds(capacity=9), [1.0], Limits())


def test_the_command_line(capsys):
    common = ["compare", "azure-conv", "--requests", "80", "--policies", "fcfs,svf", "--slo", "latency<=200"]
    with pytest.raises(InputError, match="--rates needs --slo"):
        app([*common[:-2], "--rates", "1,8"], exit_on_error=False)
    with pytest.raises(InputError, match="--rates must be numbers"):
        app([*common, "--rates", "1,b"], exit_on_error=False)
    app([*common, "--rates", "1,8", "--json"], result_action="return_value")
    told = json.loads(capsys.readouterr().out)["attainment"]
    assert [a["policy"] for a in told] == ["fcfs", "svf"]
    assert all(a["rates_per_s"] == [1, 8] and 0 <= a["share"][1] <= a["share"][0] <= 1 for a in told)
    app([*common, "--rates", "1,8"], result_action="return_value")
    assert "share of requests with latency ≤ 200 rounds" in capsys.readouterr().out
