"""``plimsoll fluid`` from the outside."""

import json

import pytest

from plimsoll.cli import app
from plimsoll.errors import InputError

TYPES = """
capacity = 12
fixed_s = 0.5
per_token_s = 0.041666666666666664
[[type]]
rate = 4
prompt = 1
output = 1
"""


def fluid(*arguments):
    app(["fluid", *map(str, arguments)], result_action="return_value")


def test_json_is_one_object(tmp_path, capsys):
    (tmp_path / "types.toml").write_text(TYPES)
    fluid(tmp_path / "types.toml", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["memory_tokens"] == pytest.approx(12)
    assert answer["wait"]["thresholds"] == [4]


def test_options_beat_the_file(tmp_path, capsys):
    (tmp_path / "types.toml").write_text(TYPES)
    fluid(tmp_path / "types.toml", "--capacity", 100, "--rate", 2, "--json")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["capacity_tokens"], answer["rate"]) == (100, 2)


def test_a_trace_file_in_words(tmp_path, capsys):
    rows = "\n".join(f"{k / 4},512,{20 if k % 3 else 50}" for k in range(60))
    (tmp_path / "trace.csv").write_text(f"arrival_s,prompt_tokens,output_tokens\n{rows}\n")
    fluid(tmp_path / "trace.csv", "--capacity", 137000)
    told = capsys.readouterr().out
    assert "Inside the stability region" in told
    assert "WAIT: thresholds 1, 1" in told


def test_bad_input_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        fluid(tmp_path / "none.toml")
    (tmp_path / "types.toml").write_text(TYPES)
    with pytest.raises(InputError, match="--rate must be above 0"):
        fluid(tmp_path / "types.toml", "--rate", -1)
