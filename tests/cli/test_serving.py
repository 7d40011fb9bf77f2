"""The serving options of the command line."""

import json

import polars as pl
import pytest

from .test_run import plimsoll

ENGINE = ("--gpu", "rtx-4090", "--model", "llama-3.1-8b")


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,prompt_tokens,output_tokens\n0,100,20\n0.01,300,10\n0.02,50,40\n")
    return str(path)


def told(trace, *words):
    return json.loads(plimsoll("run", trace, "--policy", "fcfs", "--json", *words).stdout)


def test_every_answer_says_what_it_stands_on(trace):
    assert told(trace, *ENGINE)["basis"].startswith("llama-3.1-8b on rtx-4090, fitted: LLMServingSim")
    assert ", datasheet" in told(trace, "--gpu", "mi300x", "--model", "llama-3.1-70b")["basis"]
    assert told(trace, "--host", "serving", "--steptime", "linear:0.01:0.001", "--blocks", "90")["basis"].endswith(
        "given"
    )
    assert "basis" not in told(trace, "--capacity", "1000")
    assert (
        "step times: llama-3.1-8b on rtx-4090, fitted"
        in plimsoll("compare", trace, *ENGINE, "--policies", "fcfs").stdout
    )


@pytest.mark.parametrize(
    ("given", "lacks"),
    [
        ((), "--blocks or --capacity, or --gpu and --model"),
        (("--steptime", "linear:0.01:0.001"), "--blocks or --capacity, or --gpu and --model"),
        (("--capacity", "1000"), "--gpu and --model, or --steptime"),
    ],
)
def test_an_engine_that_is_not_described_says_what_it_lacks(trace, given, lacks):
    run = plimsoll("run", trace, "--policy", "fcfs", "--host", "serving", *given, rc=2)
    assert run.stderr == f"plimsoll: the serving host needs {lacks}\n"


def test_a_run_has_the_engine_s_own_figures(trace):
    run = told(trace, *ENGINE, "--slo", "ttft<=2,tpot<=0.05")
    assert (run["host"], run["unit"], run["completed"]) == ("serving", "s", 3)
    names = {"recomputed_tokens", "cached_tokens", "cost_usd", "cost_usd_per_million_tokens", "energy_j"}
    names |= {f"{what}_{of}_s" for what in ("itl", "queueing") for of in ("mean", "p50", "p90", "p95", "p99")}
    assert names <= set(run["serving"])
    assert run["slo"]["good"] == 3
    assert run["energy_j"] == run["serving"]["energy_j"] > 0


@pytest.mark.parametrize("mode", ["vllm", "vllm-v0", "sarathi", "orca", "static"])
def test_every_mode_runs(trace, mode, tmp_path):
    out = tmp_path / "times.parquet"
    run = told(trace, *ENGINE, "--mode", mode, "--out", str(out))
    assert run["completed"] == 3
    rows = pl.read_parquet(out)
    columns = ["id", "arrival", "prompt", "output", "predicted", "start", "first_token", "finish", "evictions"]
    assert rows.columns == columns
    assert (rows["finish"] >= rows["first_token"]).all()


def test_options_of_the_engine_are_heard(trace):
    small = ("--blocks", "30", "--block-size", "16", "--max-num-seqs", "1", "--max-num-batched-tokens", "64")
    alone = told(trace, *ENGINE, *small)
    assert alone["capacity_tokens"] == 480
    assert alone["latency"]["mean"] > told(trace, *ENGINE)["latency"]["mean"]
    assert told(trace, *ENGINE, "--max-tokens", "5")["latency"]["mean"] < told(trace, *ENGINE)["latency"]["mean"]
    assert told(trace, *ENGINE, "--timeout-s", "0.2")["serving"]["cancelled"] > 0
    half, whole = (told(trace, *ENGINE, "--utilisation", share)["capacity_tokens"] for share in ("0.8", "0.95"))
    assert half < whole
    split = told(trace, "--gpu", "h100", "--model", "qwen3-32b", "--tp", "2")
    assert split["capacity_tokens"] > told(trace, "--gpu", "h100", "--model", "qwen3-32b")["capacity_tokens"]
    small = told(trace, *ENGINE, "--dtype", "fp8", "--kv-cache-dtype", "fp8", "--price-per-hour", "36")
    assert small["capacity_tokens"] > 3 * told(trace, *ENGINE)["capacity_tokens"]
    assert small["serving"]["cost_usd"] == pytest.approx(0.01 * small["makespan"])


def test_a_pair_that_nobody_measured_says_so():
    words = ("--gpu", "mi300x", "--model", "deepseek-r1", "--tp", 8, "--json")
    shown = json.loads(plimsoll("steptime", "show", *words).stdout)
    assert shown["blocks"] > 0 and shown["basis"].startswith("datasheet")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gpu", "gtx-970", "--model", "llama-3.1-8b"), "rtx-4090"),
        (("--gpu", "a100", "--model", "gpt-2"), "qwen3-32b"),
        (("--gpu", "rtx-4090", "--model", "llama-2-70b"), "raise --tp"),
        ((*ENGINE, "--tp", "3"), "--tp"),
        ((*ENGINE, "--dtype", "fp3"), "--dtype"),
        ((*ENGINE, "--mode", "tgi"), "--mode"),
        ((*ENGINE, "--blocks", "0"), "--blocks"),
        ((*ENGINE, "--blocks", "10"), "row 2, prompt 300"),
        ((*ENGINE, "--watermark", "1"), "--watermark"),
        ((*ENGINE, "--utilisation", "0"), "--utilisation"),
        ((*ENGINE, "--steptime", "table:2=1,1=2"), "ascending"),
        (("--host", "serving", "--blocks", "90"), "--steptime"),
    ],
)
def test_bad_options_are_one_line_and_exit_2(trace, words, said):
    done = plimsoll("run", trace, "--policy", "fcfs", *words, rc=2)
    assert done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_a_fit_to_a_user_s_own_steps_is_what_a_run_stands_on(trace, tmp_path):
    rows = ["decodes,context,chunk,earlier,seconds"]
    rows += [f"{d},{100 * d},0,0,{0.01 + 1e-4 * d}" for d in range(1, 30)]
    rows += [f"{d},{100 * d},{c},0,{0.02 + 1e-4 * (d + c)}" for d in range(1, 30) for c in (10, 400)]
    steps = tmp_path / "steps.csv"
    steps.write_text("\n".join(rows))
    words = ("--gpu", "h100", "--model", "qwen3-8b")
    fit = plimsoll("steptime", "fit", steps, *words, "--cite", "our logs")
    assert "decode: relative error" in fit.stderr
    mine = tmp_path / "mine.toml"
    mine.write_text(fit.stdout)
    run = told(trace, *words, "--steptime", str(mine))
    assert run["basis"] == "qwen3-8b on h100, fitted: our logs"
