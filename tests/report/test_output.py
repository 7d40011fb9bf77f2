"""``plimsoll plot``: figures, numbers, and traces for a viewer."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from plimsoll import Trace, read_trace, rounds, serving
from plimsoll.cli import app
from plimsoll.errors import InputError
from plimsoll.experiment.run import compare
from plimsoll.report.output import check_output, write_output
from plimsoll.report.panels import all_panels, see
from plimsoll.report.words import number

from .conftest import HOSTILE


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("panel", ["picture", "latency-tail", "bound"])
def test_figures(comparison, tmp_path, ending, panel):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"figure{ending}"
    write_output(path, panel, *comparison)
    head = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending]
    first = path.read_bytes()
    assert first.startswith(head)
    write_output(path, panel, *comparison)
    assert path.read_bytes() == first


def test_a_figure_of_one_file_for_two_grounds(comparison, tmp_path):
    pytest.importorskip("matplotlib")
    for panel in ("picture", "latency-tail"):
        write_output(tmp_path / "a.svg", panel, *comparison)
        text = (tmp_path / "a.svg").read_text()
        ElementTree.fromstring(text)
        assert "@media (prefers-color-scheme: dark)" in text
        outlines = re.findall(r' d="([^"C]*)"', text)
        assert outlines and not any(re.search(r"\.\d\d", outline) for outline in outlines)


def test_the_picture_of_the_readme_shows_what_its_command_runs():
    root = Path(__file__).parents[2]
    workload, capacity = re.search(
        r"plimsoll plot '(\S+)' --capacity (\d+) --out memory.svg", (root / "README.md").read_text()
    ).groups()
    picture = (root / "docs/images/memory.svg").read_text()
    assert len(picture) < 200_000
    for run in compare(read_trace(workload), ["fcfs", "svf"], rounds(capacity=int(capacity))):
        assert f">mean latency {number(run.result.latency.mean())} rounds<" in picture


def test_hostile_names_stay_names(comparison, tmp_path):
    pytest.importorskip("matplotlib")
    trace, runs = comparison
    hostile = [replace(r, policy=f"$x_{k}$\\frac{HOSTILE}") for k, r in enumerate(runs)]
    for panel in ("picture", "latency-tail", "bound"):
        write_output(tmp_path / "a.svg", panel, trace, hostile)
        drawn = (tmp_path / "a.svg").read_text()
        names = {element.tag.split("}")[-1] for element in ElementTree.fromstring(drawn).iter()}
        assert not names & {"script", "img", "foreignObject"} and "<img" not in drawn
        assert "$x_0$" in drawn
    write_output(tmp_path / "a.csv", "queue", trace, hostile)
    assert set(pl.read_csv(tmp_path / "a.csv")["series"]) == {r.policy for r in hostile}
    write_output(tmp_path / "a.json", "picture", trace, hostile)
    events = json.loads((tmp_path / "a.json").read_text())["traceEvents"]
    assert {e["args"]["name"] for e in events if e["name"] == "process_name"} == {r.policy for r in hostile}


def test_an_unwritable_path_is_one_line_and_leaves_nothing(comparison, tmp_path):
    for ending in (".svg", ".csv", ".json"):
        with pytest.raises(InputError, match=rf"nowhere/a\{ending}: cannot be written: No such file") as caught:
            write_output(tmp_path / "nowhere" / f"a{ending}", "queue", *comparison)
        assert "\n" not in str(caught.value)
        with pytest.raises(InputError, match="cannot be written: No such file"):
            check_output(tmp_path / "nowhere" / f"a{ending}", "queue")
    (tmp_path / "b.svg").mkdir()
    with pytest.raises(InputError, match=r"b\.svg: cannot be written: Is a directory"):
        check_output(tmp_path / "b.svg", "queue")
    with pytest.raises(InputError, match=r"b\.svg: cannot be written: Is a directory"):
        write_output(tmp_path / "b.svg", "queue", *comparison)
    (tmp_path / "b.svg").rmdir()
    assert not list(tmp_path.iterdir())


def test_no_matplotlib_is_one_line(comparison, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"figures need Matplotlib: pip install 'plimsoll\[plot\]'"):
        write_output(tmp_path / "a.png", "picture", *comparison)
    assert not list(tmp_path.iterdir())


def test_numbers_of_one_panel_and_of_all(comparison, tmp_path):
    trace, runs = comparison
    write_output(tmp_path / "a.parquet", "queue", trace, runs)
    table = pl.read_parquet(tmp_path / "a.parquet")
    assert set(table["series"]) == {"fcfs", "svf", "mc-benchmark"} and table["y"].max() > 0
    write_output(tmp_path / "all.csv", "all", trace, runs)
    everything = pl.read_csv(tmp_path / "all.csv", infer_schema_length=None)
    assert everything["y"].dtype == everything["x"].dtype == pl.Float64
    assert everything.filter(panel="bound")["x"].to_list() == pytest.approx([r.ratio for r in runs])
    assert set(everything["panel"]) == {"picture", *(p.name for p in all_panels(trace, see(runs)))}
    write_output(tmp_path / "p.parquet", "picture", trace, runs)
    held = pl.read_parquet(tmp_path / "p.parquet").with_columns(pl.col("series").str.split(",").list.first())
    peaks = held.group_by("series", "x").agg(pl.col("y").sum()).group_by("series").agg(pl.col("y").max())
    assert dict(peaks.iter_rows()) == pytest.approx({r.policy: r.result.peak_tokens for r in runs})


def test_wrong_endings_and_panels_are_one_line(comparison, tmp_path):
    with pytest.raises(InputError, match=r"ending must be one of \.png, \.svg, \.pdf, \.csv, \.parquet, \.json"):
        check_output(tmp_path / "a.xls", "queue")
    with pytest.raises(InputError, match="a figure holds one panel"):
        check_output(tmp_path / "a.png", "all")
    with pytest.raises(InputError, match="no panel 'queues' of these runs; there are picture, memory, queue"):
        write_output(tmp_path / "a.csv", "queues", *comparison)


def test_viewer_trace_of_a_hand_solved_run(tmp_path):
    # Capacity 7: the second request is evicted at 2, starts again at 3 and finishes at 7.
    trace = Trace.of([(0, 1, 3), (0, 1, 4)])
    runs = compare(trace, ["fcfs"], rounds(capacity=7, rounds_per_s=1))
    write_output(tmp_path / "run.json", "picture", trace, runs)
    events = json.loads((tmp_path / "run.json").read_text())["traceEvents"]
    slices = [(e["tid"], e["name"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    assert slices == [
        (1, "running", 0, 3000),
        (2, "running", 0, 2000),
        (2, "waiting", 2000, 1000),
        (2, "running", 3000, 4000),
    ]
    assert [(e["tid"], e["ts"]) for e in events if e["ph"] == "i"] == [(2, 2000)]
    memory = [(e["ts"], e["args"]["tokens"]) for e in events if e["name"] == "KV cache"]
    assert memory == [(0, 4), (1000, 6), (2000, 4), (3000, 2), (6000, 5), (7000, 0)]


def test_viewer_traces_hold_every_stay_and_peak(comparison, tmp_path):
    trace, runs = comparison
    write_output(tmp_path / "run.json", "picture", trace, runs)
    events = json.loads((tmp_path / "run.json").read_text())["traceEvents"]
    for pid, run in enumerate(runs, start=1):
        own = [e for e in events if e["pid"] == pid]
        stays = [e for e in own if e["name"] == "running" and e["ph"] == "X"]
        assert len(stays) == len(run.result.attempts)
        assert sum(e["ph"] == "i" for e in own) == run.result.evictions.sum()
        assert max(e["args"]["tokens"] for e in own if e["name"] == "KV cache") == run.result.peak_tokens
        for tid in range(1, len(trace) + 1):
            track = sorted((e["ts"], e["ts"] + e["dur"]) for e in own if e["ph"] == "X" and e["tid"] == tid)
            assert all(a[1] <= b[0] for a, b in pairwise(track))


NEEDED = {
    "M": {"ph", "name", "pid", "args"},
    "X": {"ph", "name", "cat", "pid", "tid", "ts", "dur", "args"},
    "i": {"ph", "name", "pid", "tid", "ts", "s"},
    "C": {"ph", "name", "pid", "ts", "args"},
}
"""The keys of each kind of event, by the trace event format."""


def check_format(events):
    """The rules of the trace event format: keys, types, slices of a track nested or apart, counters that ascend."""
    counters, tracks = {}, {}
    named = {(e["pid"], e.get("tid")) for e in events if e["ph"] == "M"}
    for event in events:
        assert set(event) == NEEDED[event["ph"]] | (event.keys() & {"tid"}), event
        assert all(type(event[key]) is int for key in ("pid", "tid") if key in event)
        if event["ph"] == "M":
            assert set(event["args"]) <= {"name", "sort_index"}
            continue
        assert event["ts"] >= 0 and event.get("dur", 0) >= 0
        if event["ph"] == "C":
            assert all(type(value) is int and value >= 0 for value in event["args"].values())
            counters.setdefault((event["pid"], event["name"]), []).append(event["ts"])
            continue
        assert (event["pid"], event["tid"]) in named
        assert event.get("s", "t") == "t"
        if event["ph"] == "X":
            begin, length = (round(1000 * event[key]) for key in ("ts", "dur"))  # a viewer counts nanoseconds
            tracks.setdefault((event["pid"], event["tid"]), []).append((begin, begin + length))
    assert counters and tracks
    assert all(a < b for times in counters.values() for a, b in pairwise(times))
    assert all(a[1] <= b[0] for track in tracks.values() for a, b in pairwise(track))


def test_viewer_traces_keep_the_rules_of_the_format(comparison, tmp_path):
    def refuse(constant):
        pytest.fail(f"{constant} is not JSON")

    trace = Trace.of([(0.5 * k, 5 + k, 3 + 2 * k) for k in range(30)])
    timed = serving(steptime="linear:0.01:0.0001", blocks=8, block_size=16)
    crowd, runs = comparison
    for made in ((crowd, runs), (trace, compare(trace, ["fcfs", "svf"], timed))):
        write_output(tmp_path / "run.json", "picture", *made)
        told = json.loads((tmp_path / "run.json").read_text(), parse_constant=refuse)
        assert set(told) == {"displayTimeUnit", "traceEvents"} and told["displayTimeUnit"] in ("ms", "ns")
        check_format(told["traceEvents"])


def test_the_command_keeps_the_order_of_its_policies(tmp_path):
    path = tmp_path / "a.csv"
    app(["plot", "azure-conv", "--requests", "80", "--policies", "fcfs,svf", "--panel", "memory", "-o", str(path)],
        result_action="return_value")  # fmt: skip
    assert pl.read_csv(path)["series"].unique(maintain_order=True).to_list() == ["fcfs", "svf"]
    assert pl.read_csv(path)["y"].max() > 0
