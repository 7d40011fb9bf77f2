"""``plimsoll run``, ``compare`` and ``policies``, as other programs call them."""

import json
import subprocess
import sys

import polars as pl
import pytest

FIELDS = [
    "schema", "trace", "requests", "policy", "predictor", "host", "status", "capacity_tokens", "unit", "load",
    "completed", "rejected", "evictions", "peak_tokens", "mean_memory_use", "latency", "ttft", "tpot",
    "latency_per_token", "makespan", "output_tokens_per_unit", "energy_j", "lower_bound_total", "ratio", "wall_s",
    "seed",
]  # fmt: skip


def plimsoll(*words, rc=0):
    done = subprocess.run([sys.executable, "-m", "plimsoll", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == rc, done.stderr
    return done


@pytest.fixture
def trace(tmp_path):
    file = tmp_path / "small.csv"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n0,4,3\n0,1,2\n1,2,5\n")
    return file


def test_run_prints_the_promised_object_and_nothing_else(trace):
    done = plimsoll("run", trace, "--policy", "svf", "--capacity", 10, "--rounds-per-s", 1, "--json")
    told = json.loads(done.stdout)
    assert list(told) == FIELDS
    assert done.stderr == ""
    assert (told["completed"], told["status"], told["unit"], told["capacity_tokens"]) == (3, "ok", "rounds", 10)
    assert list(told["latency"]) == ["mean", "p50", "p90", "p95", "p99", "max", "total"]
    assert told["latency"]["total"] >= told["lower_bound_total"] > 0
    assert told["ratio"] == told["latency"]["total"] / told["lower_bound_total"]


def test_out_holds_the_requests_in_the_order_of_the_trace(trace, tmp_path):
    out = tmp_path / "times.parquet"
    out.write_text("an older file")
    plimsoll("run", trace, "--policy", "mc-sf", "--capacity", 7, "--rounds-per-s", 1, "--out", out, "--json")
    table = pl.read_parquet(out)
    assert table.columns == [
        "id", "arrival", "prompt", "output", "predicted", "start", "first_token", "finish", "evictions",
    ]  # fmt: skip
    assert table["id"].to_list() == [0, 1, 2]
    assert (table["first_token"] - table["start"]).to_list() == [1, 1, 1]


def test_a_trace_that_names_clients_gets_their_figures(tmp_path):
    path = tmp_path / "clients.csv"
    path.write_text("arrival_s,prompt_tokens,output_tokens,client\n0,5,5,0\n0,5,5,1\n0,5,5,1\n")
    told = json.loads(plimsoll("run", path, "--capacity", 10, "--policy", "fcfs", "--json").stdout)
    assert {client: each["requests"] for client, each in told["clients"].items()} == {"0": 1, "1": 2}
    assert told["clients"]["0"]["p99"] == 5 and told["jain"] == pytest.approx((1 + 2.5) ** 2 / (2 * (1 + 2.5**2)))
    path.write_text("arrival_s,prompt_tokens,output_tokens,client\n" + "".join(f"0,4,3,{c}\n" for c in (7, *range(12))))
    lines = plimsoll("run", path, "--capacity", 100, "--policy", "fcfs").stdout.splitlines()
    (seven,) = (line for line in lines if line.split()[:2] == ["client", "7"])
    assert "requests 2  completed 2" in seven
    assert any(line.startswith(" further clients") and "2; --json" in line for line in lines)


def test_an_unstable_run_exits_1_and_leaves_null_times(tmp_path):
    file, out = tmp_path / "loop.csv", tmp_path / "times.parquet"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n0,1,6\n0,1,6\n")
    words = ("run", file, "--policy", "alpha-protection:alpha=0.2", "--capacity", 10, "--out", out, "--json")
    told = json.loads(plimsoll(*words, rc=1).stdout)
    assert told["status"] == "unstable"
    assert told["ratio"] is None
    assert pl.read_parquet(out)["finish"].null_count() == 2


def test_compare_ranks_and_crosses_predictors(trace):
    words = (
        "compare",
        trace,
        "--capacity",
        10,
        "--policies",
        "fcfs,svf:age=1",
        "--predictors",
        "exact,noisy:0.5",
        "--json",
    )
    told = json.loads(plimsoll(*words).stdout)
    assert list(told) == ["schema", "trace", "runs"]
    assert {(r["policy"], r["predictor"]) for r in told["runs"]} == {
        (p, q) for p in ("fcfs", "svf:age=1") for q in ("exact", "noisy:0.5")
    }
    means = [r["latency"]["mean"] for r in told["runs"]]
    assert means == sorted(means)


def test_a_policy_brings_its_own_predictor_unless_one_is_named(trace):
    words = ("compare", trace, "--capacity", 10, "--policies", "svf,load-line", "--json")
    told = {r["policy"]: r["predictor"] for r in json.loads(plimsoll(*words).stdout)["runs"]}
    assert told == {"svf": "exact", "load-line": "law"}
    named = json.loads(plimsoll(*words, "--predictor", "noisy:0.1").stdout)["runs"]
    assert {r["predictor"] for r in named} == {"noisy:0.1"}


def test_the_table_says_when_memory_hardly_binds(trace):
    out = plimsoll("compare", trace, "--capacity", 1000, "--policies", "fcfs,svf").stdout
    assert "order will matter little" in out
    assert "× bound" in out


def test_an_unstable_row_is_marked(tmp_path):
    file = tmp_path / "loop.csv"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n0,1,6\n0,1,6\n")
    out = plimsoll("compare", file, "--capacity", 10, "--policies", "svf,alpha-protection:alpha=0.2").stdout
    assert "unstable" in out
    assert "none gets further" in out


def test_oversize_requests_are_an_error_or_counted(trace):
    words = ("run", trace, "--policy", "svf", "--capacity", 6)
    assert "2 of 3 requests can never fit in 6 tokens" in plimsoll(*words, rc=2).stderr
    assert json.loads(plimsoll(*words, "--drop-oversize", "--json").stdout)["rejected"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--policy", "svff", "--capacity", "9"), "did you mean 'svf'"),
        (("--policy", "svf", "--capacity", "0"), "--capacity must be at least 1 token"),
        (("--policy", "svf",), "give --capacity"),
        (("--policy", "svf", "--capacity", "9", "--rounds-per-s", "0"), "--rounds-per-s must be above 0"),
        (("--policy", "svf", "--capacity", "9", "--rounds-per-s", "inf"), "--rounds-per-s must be above 0 and finite"),
        (("--policy", "svf", "--capacity", "9", "--rounds-per-s", "1e30"), "the last arrival would be in round"),
        (("--policy", "svf", "--capacity", "9", "--requests", "1.5"), "--requests"),
        (("--policy", "svf", "--capacity", "9", "--host", "moon"), "--host must be rounds or serving"),
        (("--policy", "svf", "--capacity", "9", "--out", "/nowhere/x.parquet"), "x.parquet: cannot be written"),
        (("--polcy", "svf"), "--policy"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_2(trace, words, said):
    done = plimsoll("run", trace, *words, rc=2)
    assert said in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


def test_policies_lists_the_catalogue():
    told = json.loads(plimsoll("policies", "--json").stdout)["policies"]
    assert {"fcfs", "fcfs-reserve", "mc-benchmark", "mc-sf", "sjf", "svf", "alpha-protection", "alpha-beta"} <= {
        p["name"] for p in told
    }
    assert list(told[0]) == ["name", "summary", "parameters", "uses", "guarantee", "source"]
    shown = plimsoll("policies").stdout.splitlines()
    first = next(line for line in shown if "nested-wait" in line)
    assert "Segments of the output" in first and any("segments=4" in line for line in shown)


@pytest.mark.shared
def test_the_real_trace(shared):
    file = shared / "traces" / "azure_llm_2023_conv.parquet"
    told = json.loads(plimsoll("compare", file, "--capacity", 65000, "--policies", "svf,fcfs", "--json").stdout)
    best, worst = told["runs"]
    assert best["policy"] == "svf"
    assert best["ratio"] < 1.25 < 3 < worst["ratio"]
    assert best["load"] == pytest.approx(1.102, abs=0.001)
