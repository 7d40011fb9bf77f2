"""A trace from a file or a name."""

import pytest

from plimsoll.cli.source import load
from plimsoll.errors import InputError
from plimsoll.experiment.setting import capacity_for
from plimsoll.source import read_trace
from plimsoll.trace import mean_rate

TABLE = "ts,in,out\n0,1,5\n2,2,5\n4,3,0\n"


def test_a_file_with_the_common_options(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(TABLE)
    columns = {"arrival_s": "ts", "prompt_tokens": "in", "output_tokens": "out"}
    trace = read_trace(path, columns, drop_empty=True, rate=2)
    assert (trace.prompt.tolist(), trace.arrival.tolist()) == ([1, 2], [0, 0.5])
    path.write_text(TABLE.replace("3,0", "3,1"))
    again = load(str(path), requests=2, rate=2, columns="arrival_s=ts,prompt_tokens=in,output_tokens=out")
    assert (again.prompt.tolist(), again.arrival.tolist(), again.name) == ([1, 2], [0, 0.5], "log")


def test_a_name_with_the_common_options():
    trace = load("lmsys?rate=20", requests=5000, rate=10, seed=3)
    assert len(trace) == 5000
    assert mean_rate(trace.arrival) == pytest.approx(10, rel=0.05)


def test_neither_file_nor_name(tmp_path):
    with pytest.raises(InputError, match="no such file, and no built-in workload; there are azure-conv"):
        read_trace("nosuch")
    with pytest.raises(InputError, match="columns can be named for a file"):
        read_trace("lmsys", {"client": "who"})


def test_capacity():
    assert capacity_for("azure-conv", None) == 65_000
    assert capacity_for("trace.csv", 7) == 7
    with pytest.raises(InputError, match="give --capacity TOKENS"):
        capacity_for("trace.csv", None)
    with pytest.raises(InputError, match="at least 1 token"):
        capacity_for("azure-conv", 0)
