"""Goodput under a promise, by hand and on the command line."""

import json

import pytest

from plimsoll import Trace, serving, simulate
from plimsoll.cli import app
from plimsoll.errors import InputError
from plimsoll.experiment.goodput import Slo
from plimsoll.steptime import unit

FILE = "arrival_s,prompt_tokens,output_tokens\n0,3,2\n0,2,3\n1,6,2\n"


def test_a_statistic_binds_the_run_and_its_limit_each_request():
    """Finishes at 2, 3 and 4, first tokens after 1, 1 and 2: two of three within 1, in 4 seconds."""
    trace = Trace.of([(0, 3, 2), (0, 2, 3), (1, 6, 2)])
    done = simulate(trace, "fcfs", serving(steptime=unit(), blocks=10, block_size=1))
    slo = Slo.of("max_ttft<=1,latency<=3")
    assert slo.to_json(done) == {
        "limits": "ttft<=1,latency<=3",
        "good": 2,
        "share": pytest.approx(2 / 3),
        "goodput": 2 / 4,
        "objectives": [{"objective": "max_ttft<=1", "value": 2.0, "met": False}],
    }
    assert not slo.kept(done)
    assert Slo.of("p50_ttft<=1").kept(done)


@pytest.mark.parametrize("wrong", ["ttft<2", "p99_ttft<=0", "speed<=1", "p99_ttft", ""])
def test_what_is_no_limit_is_refused(wrong):
    with pytest.raises(InputError, match="--slo"):
        Slo.of(wrong)


def test_the_command_line(tmp_path, capsys):
    file = tmp_path / "small.csv"
    file.write_text(FILE)
    host = ["--host", "serving", "--gpu", "a100", "--model", "llama-3.1-8b", "--blocks", "2"]
    app(["run", str(file), "--policy", "fcfs", "--slo", "p99_ttft<=9", *host, "--json"], result_action="return_value")
    told = json.loads(capsys.readouterr().out)
    assert (told["slo"]["good"], told["slo"]["objectives"][0]["met"]) == (3, True)
    assert told["load"] > 0
    cost = told["serving"]["cost_usd"]
    assert told["serving"]["cost_usd_per_million_tokens"] == pytest.approx(cost / 7e-6)
    with pytest.raises(SystemExit) as ended:
        app(["run", str(file), "--policy", "fcfs", "--slo", "p99_ttft<=0.001", *host], result_action="return_value")
    assert ended.value.code == 1
    assert "MISSES p99_ttft<=0.001" in capsys.readouterr().out
    app(["compare", str(file), "--policies", "fcfs,svf", "--slo", "ttft<=9", *host], result_action="return_value")
    said = capsys.readouterr().out
    assert "$/1M tokens" in said and "100.0%" in said
