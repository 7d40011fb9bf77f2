"""The lab: cells are made once, survive an interruption, and are made again when anything changes."""

from __future__ import annotations

import numpy as np
import pytest

from plimsoll import Trace
from plimsoll.errors import InputError
from plimsoll.reproduce.lab import Cells, Lab, Worst, burst, poisson, slope


def test_a_cell_is_made_once_and_taken_up_again(tmp_path):
    path, made = tmp_path / "cells.json", []

    def make():
        made.append(1)
        return {"ratio": 1.5}

    assert Lab(True, Cells(path)).cell("a", make, seed=1) == {"ratio": 1.5}
    again = Lab(True, Cells(path))
    assert again.cell("a", make, seed=1) == {"ratio": 1.5} and len(made) == 1
    again.cell("a", make, seed=2)
    again.cell("b", make, seed=1)
    Lab(True, Cells(path), Trace.of([(0, 3, 4)], "data")).cell("a", make, seed=1)
    assert len(made) == 4


def test_an_interruption_leaves_what_was_finished(tmp_path):
    path = tmp_path / "cells.json"

    def interrupted():
        raise KeyboardInterrupt

    lab = Lab(False, Cells(path))
    lab.cell("a", lambda: {"x": 1.0})
    with pytest.raises(KeyboardInterrupt):
        lab.cell("b", interrupted)
    assert Lab(False, Cells(path)).cell("a", interrupted) == {"x": 1.0}
    assert [file.name for file in tmp_path.iterdir()] == ["cells.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": 3}'])
def test_a_file_of_something_else_is_one_line(tmp_path, text):
    path = tmp_path / "cells.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not a file of finished cells"):
        Cells(path)


def test_lengths_are_the_stand_in_or_the_data_set():
    rng = np.random.default_rng(0)
    prompt, output = Lab(True, Cells(None)).chat(20_000, rng, 8000)
    assert np.median(prompt) == pytest.approx(11, abs=1) and np.median(output) == pytest.approx(45, abs=2)
    assert (prompt + output).max() <= 8000
    data = Lab(True, Cells(None), Trace.of([(0, 3, 4), (0, 5, 6), (0, 500, 6)], "data"))
    prompt, output = data.chat(50, rng, 100)
    assert set(zip(prompt.tolist(), output.tolist(), strict=True)) == {(3, 4), (5, 6)}
    with pytest.raises(InputError, match="no request has at most 5 tokens"):
        data.chat(1, rng, 5)


def test_small_parts():
    assert burst(np.array([1]), np.array([2])).arrival.tolist() == [0.0]
    arrival = poisson(2.0, np.ones(9000, int), np.ones(9000, int), np.random.default_rng(1)).arrival
    assert len(arrival) / arrival[-1] == pytest.approx(2, rel=0.05)
    assert slope(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])) == pytest.approx(2)
    worst = Worst()
    for ratio in (1.0, 3.0):
        worst.see(ratio)
    assert worst.told("x") == {"worst x": 3.0, "mean x": 2.0}
