"""Sweeps: grids, results that grow, workers that die."""

import json
import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from plimsoll.errors import InputError
from plimsoll.experiment.cell import VERSION, Cell
from plimsoll.experiment.grid import read_grid
from plimsoll.experiment.setting import Setting
from plimsoll.experiment.store import Store
from plimsoll.experiment.sweep import sweep


def test_a_grid_crosses_its_lists(spec):
    grid = read_grid(spec("capacity = [10, 12]", "rounds-per-s = 1", "seed = [0, 1, 2]", policy="fcfs,svf:age=1"))
    assert len(grid) == len(list(grid)) == 12
    assert grid.varied == ["policy", "capacity", "seed"]
    first = next(iter(grid))
    assert (first.policy, first.setting.capacity, first.setting.rounds_per_s) == ("fcfs", 10, 1.0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("capasity = 10", "unknown key 'capasity'; did you mean capacity"),
        ("capacity = []", "capacity is an empty list"),
        ("capacity = 1.5", "capacity must be a whole number, not 1.5"),
        ("closed_loop = 1", "closed_loop must be true or false, not 1"),
        ("seed = [1, 1]", "seed has 1 twice"),
        ("predictor = 'noisy:0.2,nosuch'", "predictor nosuch: unknown"),
        ("seed = ", "not TOML"),
    ],
)
def test_a_bad_spec_is_one_line(spec, line, told):
    with pytest.raises(InputError, match=told):
        read_grid(spec(line))


def test_a_spec_without_a_trace(tmp_path):
    (tmp_path / "spec.toml").write_text('policy = "fcfs"')
    with pytest.raises(InputError, match="no trace; give one"):
        read_grid(tmp_path / "spec.toml")


def test_the_key_knows_the_content_of_files(trace):
    cell = Cell(Setting(str(trace), capacity=10), "fcfs")
    before = cell.key()
    assert Cell(Setting(str(trace), capacity=10), "fcfs").key() == before
    assert Cell(Setting(str(trace), capacity=11), "fcfs").key() != before
    trace.write_text(trace.read_text() + "2,1,1\n")
    assert cell.key() != before


def test_a_load_is_reached(trace):
    made = Setting(str(trace), capacity=10, rounds_per_s=1, load=0.5).make()
    volumes = made.trace.volume.mean()
    assert 2 / made.trace.arrival[-1] * volumes / 10 == pytest.approx(0.5)


def test_a_sweep_is_taken_up_where_it_stopped(spec, tmp_path):
    out = tmp_path / "out.parquet"
    small = read_grid(spec("capacity = [10, 12]", "rounds_per_s = 1", policy="fcfs,svf"))
    assert (first := sweep(small, out)).ran == 4 and first.kept == 0
    table = pl.read_parquet(out)
    assert table["key"].n_unique() == 4
    assert table["completed"].to_list() == [3] * 4
    larger = read_grid(spec("capacity = [10, 12, 14]", "rounds_per_s = 1", policy="fcfs,svf"))
    again = sweep(larger, out, workers=2)
    assert (again.ran, again.kept, len(again.rows)) == (2, 4, 6)
    assert sweep(larger, out).ran == 0
    assert not out.with_name("out.parquet.journal").exists()


def test_a_bad_cell_does_not_end_the_rest(spec, tmp_path):
    done = sweep(read_grid(spec("capacity = [5, 10]", "rounds_per_s = 1")), tmp_path / "out.parquet")
    assert (done.ran, len(done.bad)) == (2, 1)
    assert "can never fit in 5 tokens" in done.bad[0]["reason"]
    assert {row["status"] for row in done.rows} == {"error", "ok"}


def test_a_worker_that_dies_is_replaced(spec, fatal, tmp_path):
    grid = read_grid(spec("capacity = [10, 11, 12, 13]", "rounds_per_s = 1", policy=fatal))
    done = sweep(grid, tmp_path / "out.parquet", workers=2)
    assert (tmp_path / "killed").exists()
    assert (done.ran, done.bad, done.lost) == (4, [], [])


def test_a_cell_that_always_kills_its_process_takes_no_other_with_it(spec, fatal, tmp_path):
    """It alone is lost, however often it dies; those in flight with it are run."""
    always = tmp_path / "always.py"
    always.write_text((tmp_path / "fatal.py").read_text().replace("and not _mark.exists()", ""))
    grid = read_grid(spec("capacity = [10, 11]", "rounds_per_s = 1", policy=f"fcfs,{always}:Fatal,svf,sjf"))
    done = sweep(grid, tmp_path / "out.parquet", workers=2)
    assert [cell.policy for cell in done.lost] == [f"{always}:Fatal"] * 2
    assert (done.ran, done.bad) == (6, [])


def test_a_list_of_many_values_is_read_at_once(spec):
    grid = read_grid(spec(f"seed = {list(range(100_000))}", "capacity = 10"))
    assert len(grid) == 100_000


def test_a_journal_torn_by_a_kill_is_read_up_to_the_tear(tmp_path):
    out = tmp_path / "out.parquet"
    with Store(out) as store:
        store.add({"key": "a", "schema": 1, "version": VERSION, "x": 1.0})
    journal = tmp_path / "out.parquet.journal"
    journal.write_text(json.dumps({"key": "b", "schema": 1, "version": VERSION, "y": 2}) + '\n{"key": "c", ')
    with Store(out) as store:
        assert set(store.rows) == {"a", "b"}
    assert pl.read_parquet(out)["key"].to_list() == ["a", "b"]


def test_one_sweep_at_a_time(tmp_path):
    with Store(tmp_path / "out.parquet"), pytest.raises(InputError, match="another sweep is writing"):
        Store(tmp_path / "out.parquet")


def test_results_of_another_version_are_refused(tmp_path):
    out = tmp_path / "out.parquet"
    pl.DataFrame({"key": ["a"], "schema": [0], "version": ["0.0.1"]}).write_parquet(out)
    with pytest.raises(InputError, match=r"results of plimsoll 0.0.1 \(schema 0\)"):
        Store(out)
    pl.DataFrame({"x": [1]}).write_parquet(out)
    with pytest.raises(InputError, match="not a file of a sweep's results"):
        Store(out)
    assert pl.read_parquet(out).columns == ["x"]


def test_a_killed_sweep_loses_only_what_was_in_flight(tmp_path):
    file, out = tmp_path / "spec.toml", tmp_path / "spec.parquet"
    file.write_text(
        'trace = "azure-conv"\nrequests = 20000\npolicy = "fcfs"\nseed = [' + ",".join(map(str, range(500))) + "]"
    )
    words = [sys.executable, "-m", "plimsoll", "sweep", str(file), "--workers", "1"]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
    journal = tmp_path / "spec.parquet.journal"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (journal.exists() and journal.read_text().count("\n") >= 3):
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    finished = journal.read_text().count("\n")
    assert 3 <= finished < 500
    with Store(out) as store:
        assert len(store.rows) == finished
