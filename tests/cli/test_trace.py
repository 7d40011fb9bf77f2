"""``plimsoll trace`` from the command line."""

import json
import sys

import pytest

from plimsoll.cli import main
from plimsoll.formats import read_file

TABLE = "arrival_s,prompt_tokens,output_tokens\n0,3,4\n1,9,9\n2,3,0\n"


@pytest.fixture
def plimsoll(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["plimsoll", *(str(argument) for argument in arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_describe(plimsoll):
    code, out, _ = plimsoll("trace", "describe", "azure-conv", "--requests", 500)
    assert code == 0
    assert "azure-conv: 500 requests" in out
    assert "capacity 65,000 tokens, load" in out
    code, out, _ = plimsoll("trace", "describe", "azure-conv", "--requests", 500, "--capacity", 10**6, "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["requests"], told["capacity_tokens"]) == (0, 1, 500, 10**6)
    assert "order will matter little" in told["reading"]


def test_convert_drops_and_counts(plimsoll, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text(TABLE)
    code, out, err = plimsoll("trace", "convert", source, target)
    assert (code, out) == (2, "")
    assert "row 3 (line 4), column output_tokens: 0" in err
    assert err.count("\n") == 1
    assert not target.exists()
    code, out, err = plimsoll("trace", "convert", source, target, "--drop-empty", "--capacity", 10)
    assert code == 2
    assert "1 of 2 requests can never fit in 10 tokens" in err
    code, out, _ = plimsoll(
        "trace", "convert", source, target, "--drop-empty", "--capacity", 10, "--drop-oversize", "--json"
    )
    assert json.loads(out) == {
        "schema": 1,
        "out": str(target),
        "requests": 1,
        "dropped_empty": 1,
        "dropped_oversize": 1,
    }
    assert read_file(target).output.tolist() == [4]


def test_convert_with_named_columns(plimsoll, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("ts,in,out\n7,3,4\n8,5,6\n")
    names = "arrival_s=ts,prompt_tokens=in,output_tokens=out"
    code, out, _ = plimsoll("trace", "convert", source, target, "--columns", names, "--rate", 2)
    assert (code, out) == (0, f"{target}: 2 requests\n")
    assert read_file(target).arrival.tolist() == [0, 0.5]


def test_drop_oversize_needs_a_capacity(plimsoll, tmp_path):
    code, _, err = plimsoll("trace", "convert", tmp_path / "a.csv", tmp_path / "b.csv", "--drop-oversize")
    assert code == 2
    assert "--drop-oversize needs --capacity" in err


def test_generate_repeats_itself(plimsoll, tmp_path):
    spec = "synthetic?prompt=fixed:tokens=5&arrivals=gamma:cv=3"
    for name in ("a", "b"):
        code, *_ = plimsoll("trace", "generate", spec, tmp_path / f"{name}.csv", "--requests", 50, "--seed", 3)
        assert code == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    code, out, _ = plimsoll("trace", "generate", "lmsys", tmp_path / "c.csv", "--requests", 5, "--json")
    assert json.loads(out)["requests"] == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["describe", "nosuch"], "nosuch: no such file, and no built-in workload"),
        (["generate", "nosuch", "x.csv"], "nosuch: no built-in workload of that name"),
        (["generate", "lmsys?rate=0", "x.csv"], "rate must be a positive number"),
        (["fetch", "nosuch"], "no public trace of that name"),
        (["describe", "lmsys", "--nosuch", "1"], "Unknown option: --nosuch"),
        (["describe", "lmsys", "--capacity", "x"], "Invalid value for"),
        (["describe", "lmsys", "--requests", "1.5"], "Invalid value for"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(plimsoll, arguments, message):
    code, out, err = plimsoll("trace", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
