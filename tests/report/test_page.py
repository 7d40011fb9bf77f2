"""The page as a file: complete in itself, safe with any name, whole or not at all."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest

from plimsoll import Trace, rounds
from plimsoll.cli import app
from plimsoll.errors import InputError
from plimsoll.experiment.run import compare
from plimsoll.report.page import report_page, write_report

from .conftest import HOSTILE


def data(page: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))


def column(page: str, place: dict) -> np.ndarray:
    block = zlib.decompress(base64.b64decode(re.search(r'id="columns">(.*?)</script>', page, re.S).group(1)))
    return np.frombuffer(block, "<i4" if place["t"] == "i" else "<f4", place["n"], place["at"])


def test_it_fetches_nothing_and_is_drawn_without_script(comparison):
    page = report_page(*comparison)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", page)
    assert page.count("<svg") > 10
    assert "<polygon" in page.split("<script")[0]
    assert "default-src 'none'" in page


def test_the_data_are_the_runs(comparison):
    trace, runs = comparison
    page = report_page(trace, runs)
    told = data(page)
    assert told["requests"] == told["sample"] == len(trace)
    for k, run in enumerate(runs):
        latency = column(page, told["table"]["latency"][k])
        assert latency == pytest.approx(run.result.latency)
    picture = next(p for p in told["pictures"] if runs[p["run"]].policy == "fcfs")
    fcfs = runs[picture["run"]].result
    assert len(column(page, picture["start"])) == len(fcfs.attempts)
    assert column(page, picture["wait"]).reshape(7, -1).sum(axis=0).max() == fcfs.peak_tokens


def test_hostile_names_cannot_leave_their_place(comparison):
    trace, runs = comparison
    hostile = [replace(r, policy=HOSTILE + r.policy, predictor=HOSTILE) for r in runs]
    page = report_page(replace(trace, name=HOSTILE), hostile)
    assert page.count("<script") == 3
    assert "<img" not in page
    assert HOSTILE not in page
    assert data(page)["runs"][0]["name"].startswith(HOSTILE)


def test_no_half_file_is_left(comparison, tmp_path, monkeypatch):
    path = tmp_path / "out.html"
    path.write_text("before")
    monkeypatch.setattr("plimsoll.report.page.report_page", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_report(path, *comparison)
    assert path.read_text() == "before"
    assert [f.name for f in tmp_path.iterdir()] == ["out.html"]


def test_an_unwritable_path_is_one_line_before_anything_runs(comparison, tmp_path, monkeypatch):
    missing = tmp_path / "nowhere" / "out.html"
    with pytest.raises(InputError, match=r"nowhere/out\.html: cannot be written: No such file"):
        write_report(missing, *comparison)
    monkeypatch.setattr("plimsoll.experiment.run.compare", lambda *_: pytest.fail("the runs were made first"))
    with pytest.raises(InputError, match="cannot be written"):
        app(["compare", "azure-conv", "--requests", "50", "--report", str(missing)], exit_on_error=False)


def test_the_command_writes_the_report(tmp_path, capsys):
    path = tmp_path / "out.html"
    app(["compare", "azure-conv", "--requests", "60", "--policies", "fcfs,svf", "--report", str(path), "--json"],
        result_action="return_value")  # fmt: skip
    assert [r["policy"] for r in json.loads(capsys.readouterr().out)["runs"]] == [
        r["name"] for r in data(path.read_text())["runs"]
    ]


def test_many_requests_are_sampled_and_shown_close_up(monkeypatch):
    monkeypatch.setattr("plimsoll.report.page.MOST_CELLS", 400)
    monkeypatch.setattr("plimsoll.report.picture.MOST_CELLS", 400)
    rng = np.random.default_rng(3)
    trace = Trace(np.sort(rng.uniform(0, 3000, 1000)), rng.integers(1, 9, 1000), rng.integers(1, 40, 1000), "many")
    runs = compare(trace, ["fcfs", "svf"], rounds(capacity=100, rounds_per_s=1))
    page = report_page(trace, runs)
    told = data(page)
    assert told["requests"] == 1000 and told["sample"] == 200
    start, stop = told["window"]
    assert 0 < start < stop < told["span"][1]
    for picture in told["pictures"]:
        begin, end = column(page, picture["start"]), column(page, picture["stop"])
        assert ((begin < stop) & (end >= start)).all()
        peak = column(page, picture["wait"]).reshape(7, -1).sum(axis=0).max()
        assert peak == runs[picture["run"]].result.peak_tokens


def test_a_single_run_and_a_single_request_make_a_page():
    trace = Trace.of([(0, 1, 1)], "one")
    page = report_page(trace, compare(trace, ["fcfs"], rounds(capacity=2)))
    assert page.count('class="picture"') == 1
