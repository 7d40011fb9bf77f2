"""What is written reads back the same."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.formats import read_file, write_trace
from plimsoll.trace import LONGEST, Trace

requests = st.lists(
    st.tuples(
        st.integers(0, 10**10).map(lambda us: us / 1e6),
        st.integers(0, LONGEST),
        st.integers(1, LONGEST),
        st.integers(-5, 5),
        st.lists(st.integers(0, 2**40), max_size=3),
    ),
    min_size=1,
    max_size=20,
)


def _trace(rows, *, sessions: bool) -> Trace:
    rows = sorted(rows, key=lambda row: row[0])
    rows = [(row[0] - rows[0][0], *row[1:]) for row in rows]
    ids = np.empty(len(rows), dtype=object)
    for i, row in enumerate(rows):
        ids[i] = np.array(row[4], dtype=np.int64)
    codes = np.array([row[3] for row in rows])
    return Trace(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array([row[2] for row in rows]),
        session=codes if sessions else None,
        client=codes,
        more={"hash_ids": ids, "share": np.array([row[3] / 8 for row in rows])},
    )


def _read_back(trace: Trace, ending: str) -> Trace:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trace{ending}"
        write_trace(trace, path)
        return read_file(path)


def _same(a: Trace, b: Trace, times: float) -> None:
    np.testing.assert_allclose(a.arrival, b.arrival, rtol=times, atol=times)
    for column in ("prompt", "output", "session", "client"):
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column))
    assert list(a.more) == list(b.more) or sorted(a.more) == sorted(b.more)
    np.testing.assert_array_equal(a.more["share"], b.more["share"])
    assert [ids.tolist() for ids in a.more["hash_ids"]] == [ids.tolist() for ids in b.more["hash_ids"]]


@settings(deadline=None, max_examples=50)
@given(requests, st.booleans(), st.sampled_from([".parquet", ".csv"]))
def test_own_form_round_trip_is_exact(rows, sessions, ending):
    trace = _trace(rows, sessions=sessions)
    _same(_read_back(trace, ending), trace, 0)


@settings(deadline=None, max_examples=50)
@given(requests)
def test_mooncake_round_trip(rows):
    trace = _trace(rows, sessions=False)
    _same(_read_back(trace, ".jsonl"), trace, 1e-12)


def test_mooncake_lines(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(Trace.of([(0, 3, 4), (1.5, 5, 6)]), path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"timestamp": 0, "input_length": 3, "output_length": 4},
        {"timestamp": 1500, "input_length": 5, "output_length": 6},
    ]


def test_mooncake_has_one_clock(tmp_path):
    one = np.ones(1, dtype=np.int64)
    with pytest.raises(InputError, match="one clock"):
        write_trace(Trace(np.zeros(1), one, one, session=one), tmp_path / "trace.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_unknown_ending_and_missing_folder(tmp_path):
    trace = Trace.of([(0, 1, 1)])
    with pytest.raises(InputError, match=r"should end in .parquet, .csv, .jsonl"):
        write_trace(trace, tmp_path / "trace.xlsx")
    with pytest.raises(InputError, match="cannot be written: No such file"):
        write_trace(trace, tmp_path / "none" / "trace.csv")


def test_an_existing_file_is_replaced_whole(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("old")
    write_trace(Trace.of([(0, 1, 1)]), path)
    assert path.read_text() == "arrival_s,prompt_tokens,output_tokens\n0.0,1,1\n"
    assert list(tmp_path.iterdir()) == [path]


FURTHER = '{"timestamp": 0, "input_length": 3, "output_length": 4}\n' + (
    '{"timestamp": 1, "input_length": 3, "output_length": 4, "shares": [0.5, 1.5], "told": {"by": "a", "at": [1]}}\n'
)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_further_columns_may_be_lists_objects_and_missing(tmp_path, ending):
    path = tmp_path / "trace"
    path.write_text(FURTHER)
    further = _read_back(read_file(path), ending).more
    assert further["told"].tolist() == [None, '{"by":"a","at":[1]}']
    shares = further["shares"].tolist()
    assert shares[0] is None
    assert shares[1] == "0.5 1.5" if ending == ".csv" else shares[1].tolist() == [0.5, 1.5]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_bytes_and_durations_need_parquet(tmp_path, ending):
    trace = Trace.of([(0, 1, 1)])
    trace.more["digest"] = np.array([b"\xff"], dtype=object)
    with pytest.raises(InputError, match="column digest holds Binary, which only Parquet can hold"):
        write_trace(trace, tmp_path / f"trace{ending}")
    assert list(tmp_path.iterdir()) == []
    assert _read_back(trace, ".parquet").more["digest"].tolist() == [b"\xff"]
