"""Certificates, charged prefill and the search for worst instances from the outside."""

import json

import pytest

from plimsoll.cli import app
from plimsoll.errors import InputError

ROWS = "arrival_s,prompt_tokens,output_tokens\n0,1,3\n0,1,1\n0,1,2\n0,1,5\n"


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text(ROWS)
    return path


def plimsoll(*arguments):
    app([*map(str, arguments)], result_action="return_value")


def test_certify_prints_what_holds(small, capsys):
    plimsoll("run", small, "--policy", "gsa", "--capacity", 8, "--certify")
    assert "holds, slack" in capsys.readouterr().out


def test_certify_in_the_json(small, capsys):
    plimsoll("run", small, "--policy", "svf", "--capacity", 8, "--certify", "--json")
    found = json.loads(capsys.readouterr().out)["certificates"]
    assert len(found) == 3 and all(c["holds"] for c in found)


def test_what_cannot_be_certified_is_one_line(small):
    with pytest.raises(InputError, match="fcfs has no theorem to check"):
        plimsoll("run", small, "--policy", "fcfs", "--capacity", 8, "--certify")
    with pytest.raises(InputError, match="the theorem of svf does not apply: predictions must be exact"):
        plimsoll("run", small, "--policy", "svf", "--capacity", 8, "--certify", "--predictor", "noisy:0.5")


def test_charged_prefill(small, capsys):
    options = ("--capacity", 40, "--prefill", "charged", "--steptime", "linear:1:0", "--json")
    plimsoll("run", small, "--policy", "fcfs", *options)
    told = json.loads(capsys.readouterr().out)
    assert told["unit"] == "s"
    assert told["latency"]["total"] == 4 + 2 + 3 + 6  # a prefill and one iteration a token


def test_bad_options_of_the_charged_prefill(small):
    with pytest.raises(InputError, match="--prefill must be free or charged"):
        plimsoll("run", small, "--policy", "fcfs", "--capacity", 40, "--prefill", "dear")
    with pytest.raises(InputError, match="linear:FIXED:PER_TOKEN"):
        plimsoll("run", small, "--policy", "fcfs", "--capacity", 40, "--prefill", "charged", "--steptime", "unit")


def test_the_worst_instance_of_a_policy_is_found_and_saved(tmp_path, capsys):
    out = tmp_path / "worst.csv"
    plimsoll("bound", "--worst", "ljf", "--tries", 60, "--capacity", 12, "--requests", 4, "--out", out, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["tried"] == 60 and told["ratio_at_least"] > 1.2
    assert len(out.read_text().splitlines()) == len(told["requests"]) + 1


def test_bound_needs_a_trace_or_a_policy(small):
    with pytest.raises(InputError, match="give a trace, or --worst POLICY"):
        plimsoll("bound")
    with pytest.raises(InputError, match="not both"):
        plimsoll("bound", small, "--worst", "fcfs")
