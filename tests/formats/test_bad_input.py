"""Bad input: one line that names the file, row and column; nothing is read by half."""

import io
import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from plimsoll.errors import InputError
from plimsoll.formats import parse_columns, read_dropping, read_file

HEAD = "arrival_s,prompt_tokens,output_tokens\n"
LINE = '{"timestamp": 0, "input_length": 1, "output_length": 1}\n'


def _parquet(**columns) -> bytes:
    file = io.BytesIO()
    good = {"arrival_s": [0.0, 1.0], "prompt_tokens": [1, 1], "output_tokens": [1, 1]}
    pl.DataFrame({**good, **columns}).write_parquet(file)
    return file.getvalue()


BAD = {
    "empty file": ("", "the file is empty"),
    "blank file": (" \n\n", "the file is empty"),
    "header only": (HEAD, "no requests"),
    "unknown columns": ("a,b\n1,2\n", "unknown format, its columns are a, b"),
    "binary": (b"\x00\x01\x02", "neither Parquet nor text"),
    "not UTF-8": (HEAD.encode() + b"0,1,\xff\n", "neither Parquet nor UTF-8 text"),
    "negative prompt": (HEAD + "0,1,1\n1,-3,1\n", "row 2 (line 3), column prompt_tokens: -3 is negative"),
    "negative output": (HEAD + "0,1,-1\n", "row 1 (line 2), column output_tokens: -1 is negative"),
    "negative time": (HEAD + "-1,1,1\n", "row 1 (line 2), column arrival_s: -1 is negative"),
    "nan": (HEAD + "nan,1,1\n", "row 1 (line 2), column arrival_s: nan is not a finite number"),
    "inf": (HEAD + "0,inf,1\n", "row 1 (line 2), column prompt_tokens: inf is not a finite number"),
    "fraction": (HEAD + "0,1.5,1\n", "row 1 (line 2), column prompt_tokens: 1.5 is not a whole number"),
    "zero output": (
        HEAD + "0,1,1\n0,1,0\n",
        "row 2 (line 3), column output_tokens: 0 is less than the 1 token",
    ),
    "too long": (HEAD + "0,1e30,1\n", "is more than 2147483647 tokens"),
    "unsorted": (HEAD + "1,1,1\n0,1,1\n", "row 2 (line 3), column arrival_s: 0 comes after 1 (row 1)"),
    "missing cell": (HEAD + "0,1,1\n,1,1\n", "row 2 (line 3), column arrival_s: the value is missing"),
    "short row": (HEAD + "0,1,1\n1,1\n", "row 2 (line 3), column output_tokens: the value is missing"),
    "long row": (HEAD + "0,1,1\n1,1,1,9\n", "row 2 (line 3) has 4 cells, more than the header's 3 columns"),
    "word": (HEAD + "0,1,abc\n", "row 1 (line 2), column output_tokens: 'abc' is not a number"),
    "truth": (HEAD + "0,true,1\n", "row 1 (line 2), column prompt_tokens: 'true' is not a number"),
    "open quote": (HEAD + '"0,1,1\n1,1,1\n', "line 3 is not CSV"),
    "column twice": (
        "prompt_tokens,output_tokens,prompt_tokens\n1,1,1\n",
        "column prompt_tokens appears twice",
    ),
    "bad date": (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,1,2\n2023-11-16 18:xx,1,2\n",
        "row 2 (line 3), column TIMESTAMP: '2023-11-16 18:xx' is not a date with a time",
    ),
    "cut JSON line": (LINE + LINE[:20] + "\n", "row 2 (line 2) is not a JSON object"),
    "JSON list line": (LINE + "[1]\n", "row 2 (line 2) is not a JSON object"),
    "JSON word": (
        LINE + LINE.replace("1}", '"x"}'),
        "row 2 (line 2), column output_length: 'x' is not a number",
    ),
    "JSON truth": (LINE + LINE.replace("1}", "true}"), "row 2 (line 2), column output_length: 'true' is not"),
    "JSON nan": (
        LINE + LINE.replace("1}", "NaN}"),
        "row 2 (line 2), column output_length: nan is not a finite",
    ),
    "JSON missing": (
        LINE + '{"timestamp": 0, "input_length": 1}\n',
        "row 2 (line 2), column output_length: the value",
    ),
    "JSON numbers": ("[1, 2]", "unknown format: JSON, but neither rows nor a vLLM benchmark result"),
    "cut JSON": ('{\n "input_lens": [1, 2', "line 2 is not JSON"),
    "vLLM lists": (json.dumps({"input_lens": [1, 2], "output_lens": [1]}), "input_lens (2), output_lens (1)"),
    "vLLM runs": ((json.dumps({"input_lens": [1], "output_lens": [1]}) + "\n") * 2, "holds 2 benchmark runs"),
    "vLLM failure": (
        json.dumps({"input_lens": [1], "output_lens": [0]}),
        "row 1, column output_lens: 0 is less",
    ),
    "hash id": (
        "prompt_tokens,output_tokens,hash_ids\n1,1,0 1\n1,1,0 x\n",
        "row 2 (line 3), column hash_ids: '0 x' is not a list of block ids",
    ),
    "dates that go back": (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,2\n2023-11-15 18:15:46,1,2\n",
        "row 2 (line 3), column TIMESTAMP: 0 comes after 86400 (row 1): times must not go back",
    ),
    "hash id beyond 64 bits": (
        LINE[:-2] + ', "hash_ids": [18446744073709551615]}',
        "row 1 (line 1), column hash_ids: [18446744073709551615] is not a list of block ids",
    ),
    "hash id missing": (
        LINE[:-2] + ', "hash_ids": [1, null]}',
        "row 1 (line 1), column hash_ids: [1, None] is not a list of block ids",
    ),
    "length beyond 64 bits": (
        LINE.replace("1,", "18446744073709551616,"),
        "row 1 (line 1), column input_length: 18446744073709551616 is more than 2147483647 tokens",
    ),
    "Parquet lists": (_parquet(output_tokens=[[1], [1]]), "row 1, column output_tokens: List(Int64) is not a number"),
    "Parquet bytes": (_parquet(output_tokens=[b"1", b"\xff"]), "row 1, column output_tokens: Binary is not a number"),
    "Parquet durations": (_parquet(arrival_s=[timedelta(0), timedelta(1)]), "row 1, column arrival_s: Duration"),
    "Parquet session lists": (_parquet(session=[[1], [1]]), "row 1, column session: List(Int64) is not a name"),
    "cut Parquet": (_parquet()[:-20], "truncated or damaged Parquet"),
    "Parquet head": (b"PAR1", "truncated or damaged Parquet"),
    "Parquet null": (_parquet(output_tokens=[1, None]), "row 2, column output_tokens: the value is missing"),
    "Parquet fraction": (
        _parquet(output_tokens=[1.0, 1.5]),
        "row 2, column output_tokens: 1.5 is not a whole number",
    ),
    "Parquet truths": (_parquet(output_tokens=[True, True]), "column output_tokens: 'true' is not a number"),
    "Parquet text": (_parquet(output_tokens=["1", "b"]), "row 2, column output_tokens: 'b' is not a number"),
    "Parquet empty": (
        _parquet()[:0] + _parquet(**{"arrival_s": [0.0, float("inf")]}),
        "row 2, column arrival_s: inf",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(tmp_path, content, message):
    path = tmp_path / "trace.any"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read_file(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_file(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_file(tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_one_bad_row_in_a_million(tmp_path, kind):
    output = np.full(1_000_000, 5)
    output[777_776] = 0
    frame = pl.DataFrame({"timestamp": np.arange(1_000_000), "input_length": output + 3, "output_length": output})
    path = tmp_path / "trace"
    {"parquet": frame.write_parquet, "csv": frame.write_csv, "jsonl": frame.write_ndjson}[kind](path)
    with pytest.raises(InputError, match=r"row 777777.*, column output_length: 0 is less"):
        read_file(path)


def test_one_word_in_a_million_numbers(tmp_path):
    lines = [LINE] * 1_000_000
    lines[777_776] = LINE.replace("1}", '"many"}')
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(lines))
    with pytest.raises(InputError, match=r"row 777777 \(line 777777\), column output_length: 'many' is not a number"):
        read_file(path)


def test_column_names_that_are_not_there(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no column 'c' for output_tokens; it has a, b"):
        read_file(path, {"prompt_tokens": "a", "output_tokens": "c"})
    with pytest.raises(InputError, match="no column 'output_tokens'"):
        read_file(path, {"prompt_tokens": "a"})


@pytest.mark.parametrize("text", ["in", "prompt=in", "prompt_tokens=", "prompt_tokens=a,prompt_tokens=b"])
def test_bad_column_option(text):
    with pytest.raises(InputError, match="--columns"):
        parse_columns(text)


def test_dropping_every_request_is_an_error(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text(HEAD + "0,1,0\n")
    with pytest.raises(InputError, match="every request has zero output"):
        read_dropping(path, drop_empty=True)
