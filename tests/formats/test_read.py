"""Every known format says the same."""

import json
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from plimsoll.formats import parse_columns, read_dropping, read_file
from plimsoll.trace import Trace

from .samples import ARRIVAL, KNOWN, MOONCAKE, NAMED, NAMED_COLUMNS, OUTPUT, OWN, PROMPT, VIDUR


def _says_the_same(trace: Trace) -> None:
    np.testing.assert_allclose(trace.arrival, ARRIVAL, atol=1e-9)
    assert trace.prompt.tolist() == PROMPT
    assert trace.output.tolist() == OUTPUT


@pytest.mark.parametrize("text", KNOWN.values(), ids=KNOWN)
def test_known_formats_are_told_by_their_content(tmp_path, text):
    path = tmp_path / "trace.parquet"
    path.write_text(text)
    _says_the_same(read_file(path))


def test_parquet_under_any_name(tmp_path):
    path = tmp_path / "trace.csv"
    pl.DataFrame({"arrival_s": ARRIVAL, "prompt_tokens": PROMPT, "output_tokens": OUTPUT}).write_parquet(path)
    _says_the_same(read_file(path))


def test_columns_named_by_the_caller(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(NAMED)
    trace = read_file(path, NAMED_COLUMNS)
    _says_the_same(trace)
    assert trace.client is not None
    assert trace.client.tolist() == [0, 1, 0]
    rows = [
        dict(zip(NAMED.splitlines()[0].split(","), line.split(","), strict=True)) for line in NAMED.splitlines()[1:]
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    _says_the_same(read_file(path, NAMED_COLUMNS))


def test_column_names_on_the_command_line():
    assert parse_columns("prompt_tokens=in, output_tokens=out") == {
        "prompt_tokens": "in",
        "output_tokens": "out",
    }


def test_own_times_are_kept_and_others_count_from_the_first(tmp_path):
    own, vidur = tmp_path / "own", tmp_path / "vidur"
    own.write_text(OWN.replace("\n0,", "\n2,"))
    vidur.write_text(VIDUR)
    assert read_file(own).arrival[0] == 2
    assert read_file(vidur).arrival[0] == 0


def test_further_columns_are_kept(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text(MOONCAKE)
    ids = read_file(path).more["hash_ids"]
    assert [cell.tolist() for cell in ids] == [[0, 1], [0, 2, 3], [4]]
    path.write_text("prompt_tokens,output_tokens,prompt_text,think_s\n1,2,hello,0.5\n3,4,,7\n")
    trace = read_file(path)
    assert trace.more["prompt_text"].tolist() == ["hello", None]
    assert trace.more["think_s"].tolist() == [0.5, 7]


def test_a_file_without_times_is_a_burst(tmp_path):
    path = tmp_path / "lengths.csv"
    path.write_text("num_prefill_tokens,num_decode_tokens,pd_ratio\n5,6,0.8\n7,8,0.9\n")
    assert read_file(path).arrival.tolist() == [0, 0]


def test_sessions_have_their_own_clocks(tmp_path):
    path = tmp_path / "sessions.csv"
    path.write_text("session,arrival_s,prompt_tokens,output_tokens\nb,0,1,1\nb,9,1,1\na,0,1,1\n")
    trace = read_file(path)
    assert trace.session is not None
    assert trace.session.tolist() == [0, 0, 1]
    assert trace.arrival.tolist() == [0, 9, 0]


def test_date_times_in_parquet_count_from_the_first(tmp_path):
    path = tmp_path / "log"
    start = datetime(2025, 1, 1, 12)
    when = [start + timedelta(seconds=seconds) for seconds in ARRIVAL]
    pl.DataFrame({"at": when, "prompt_tokens": PROMPT, "output_tokens": OUTPUT}).write_parquet(path)
    _says_the_same(read_file(path, {"arrival_s": "at"}))


def test_agents_inside_a_session_have_their_own_clocks(tmp_path):
    path = tmp_path / "agents.csv"
    path.write_text("session,sub,arrival_s,prompt_tokens,output_tokens\na,main,5,1,1\na,search,0,1,1\na,main,6,1,1\n")
    assert read_file(path).arrival.tolist() == [5, 0, 6]


def test_whole_numbers_may_be_written_as_floats(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,prompt_tokens,output_tokens\n0,1e3,2.0\n")
    trace = read_file(path)
    assert (trace.prompt.tolist(), trace.output.tolist()) == ([1000], [2])


def test_drop_empty_counts(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,prompt_tokens,output_tokens,tag\n0,1,0,a\n1,2,5,b\n2,3,0,c\n")
    trace, dropped = read_dropping(path, drop_empty=True)
    assert (len(trace), dropped, trace.more["tag"].tolist()) == (1, 2, ["b"])


@pytest.mark.shared
def test_real_files(shared):
    conv = read_file(shared / "traces" / "azure_llm_2023_conv.parquet")
    assert len(conv) == 19366
    assert conv.arrival[-1] == pytest.approx(3501.721937)
    mooncake = read_file(shared / "traces" / "mooncake_fast25_conversation.parquet")
    assert len(mooncake.more["hash_ids"][0]) == 14
    reasoning = read_file(shared / "traces" / "servegen_r1_sample_1h.parquet")
    assert len(np.unique(reasoning.client)) == 31
    agents, dropped = read_dropping(shared / "traces" / "agentic_coding_sessions.parquet", drop_empty=True)
    assert len(agents) + dropped == 46218
    assert len(np.unique(agents.session)) == 692


def test_clients_by_name_keep_their_names(tmp_path):
    (tmp_path / "named.csv").write_text("prompt_tokens,output_tokens,client\n1,2,zoe\n3,4,adam\n5,6,zoe\n")
    trace = read_file(tmp_path / "named.csv")
    assert trace.client.tolist() == [0, 1, 0]
    assert trace.more["client_name"].tolist() == ["zoe", "adam", "zoe"]
    (tmp_path / "coded.csv").write_text("prompt_tokens,output_tokens,client\n1,2,7\n")
    assert "client_name" not in read_file(tmp_path / "coded.csv").more
