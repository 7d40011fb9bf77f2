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


def test_the_worst_instance_can_be_made_of_a_traces_own_requests(tmp_path, capsys):
    path = tmp_path / "mine.csv"
    path.write_text("arrival_s,prompt_tokens,output_tokens\n0,2,9\n0,1,1\n5,3,2\n9,99,9\n")
    ask = ("--tries", 60, "--capacity", 12, "--drop-oversize", "--json")
    plimsoll("bound", path, "--worst", "ljf", *ask)
    told = json.loads(capsys.readouterr().out)
    assert {(r["prompt"], r["output"]) for r in told["requests"]} <= {(2, 9), (1, 1), (3, 2)}
    assert told["ratio_at_least"] > 2
    with pytest.raises(InputError, match="1 of 4 requests can never fit in 12 tokens"):
        plimsoll("bound", path, "--worst", "ljf", "--capacity", 12)
    with pytest.raises(InputError, match="no equal prompts"):
        plimsoll("bound", path, "--worst", "ljf", "--equal-prompts", *ask)


def test_bound_needs_a_trace_or_a_policy():
    with pytest.raises(InputError, match="give a trace, or --worst POLICY"):
        plimsoll("bound")


@pytest.fixture
def weighted(tmp_path):
    path = tmp_path / "weighted.csv"
    path.write_text("arrival_s,prompt_tokens,output_tokens,worth,share,tier\n0,2,3,1,0.5,a\n0,2,3,9,2,b\n0,1,1,1,1,c\n")
    return path


def bounded(capsys, *arguments):
    plimsoll("bound", *arguments, "--capacity", 5, "--rounds-per-s", 1, "--time-limit", 30, "--json")
    return json.loads(capsys.readouterr().out)


def test_weights_makespan_and_kills_from_the_command_line(weighted, capsys):
    # One after the other: the short one fits beside neither, since each peaks at 5 = M; it overlaps their first rounds.
    plain, heavy = bounded(capsys, weighted), bounded(capsys, weighted, "--weights", "worth")
    assert plain["proved"] and heavy["proved"] and heavy["upper"] > plain["upper"]
    assert heavy["starts"][1] == 0 and plain["holds_with"] == ["kill", "pause"]
    short = bounded(capsys, weighted, "--objective", "makespan")
    assert short["lower"] <= short["upper"] == 6
    plimsoll("bound", weighted, "--capacity", 5, "--weights", "worth", "--time-limit", 30)
    out = capsys.readouterr().out
    assert out.startswith("weighted latency  ") and "mean latency" not in out and "killed and restarted" in out


def test_weights_that_will_not_do_are_one_clear_line(weighted, small):
    options = ("--capacity", 20, "--weights")
    with pytest.raises(InputError, match=r"has no column 'wort' beside .* it has worth, share, tier"):
        plimsoll("bound", weighted, *options, "wort")
    with pytest.raises(InputError, match="it has no further columns"):
        plimsoll("bound", small, *options, "worth")
    with pytest.raises(InputError, match="column 'tier' of weighted does not hold numbers throughout"):
        plimsoll("bound", weighted, *options, "tier")
    with pytest.raises(InputError, match="weights: one whole number of at least 1 for each of the 3 requests"):
        plimsoll("bound", weighted, *options, "share")
    with pytest.raises(InputError, match="weights do not apply to the makespan"):
        plimsoll("bound", weighted, *options, "worth", "--objective", "makespan")


def test_the_linear_program_from_the_command_line(weighted, capsys):
    pytest.importorskip("scipy")
    assert bounded(capsys, weighted, "--method", "lp")["lower"] <= bounded(capsys, weighted)["upper"]


def test_the_best_schedule_is_drawn_as_the_rounds_host_replays_it(weighted, tmp_path, capsys):
    out = tmp_path / "best.csv"
    told = bounded(capsys, weighted, "--out", out)
    rows = [line.rsplit(",", 1) for line in out.read_text().splitlines()[1:]]
    assert all(name.startswith("picture,") for name, _ in rows) and max(float(y) for _, y in rows) > 0
    with pytest.raises(InputError, match="the ending must be one of"):
        plimsoll("bound", weighted, "--capacity", 5, "--out", tmp_path / "best.txt")
    assert told["proved"]
