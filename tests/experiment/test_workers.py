"""Cells on the processes of this machine: none is left out, however they finish."""

from concurrent.futures import Executor, Future

import pytest

from plimsoll.experiment.cell import Cell
from plimsoll.experiment.setting import Setting
from plimsoll.experiment.workers import run_here


class AtOnce(Executor):
    """Stands for processes so fast that whatever is in flight has finished when it is waited for."""

    def __init__(self, *_):
        pass

    def submit(self, fn, /, *args, **kwargs):
        done = Future()
        done.set_result({"status": "ok"})
        return done


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_cell_is_left_out_when_all_in_flight_finish_together(monkeypatch, count, workers):
    monkeypatch.setattr("plimsoll.experiment.workers.ProcessPoolExecutor", AtOnce)
    cells = [Cell(Setting("synthetic", seed=seed), "fcfs") for seed in range(count)]
    assert sorted(cell.setting.seed for cell, _ in run_here(cells, workers)) == list(range(count))
