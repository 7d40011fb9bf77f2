"""Parts of the experiments on bursts against what is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from plimsoll.reproduce import gsa_bursts
from plimsoll.reproduce.lab import Cells, Lab, burst


def test_what_is_held_in_each_round():
    trace = burst(np.array([2, 2]), np.array([2, 3]))
    assert gsa_bursts._held(trace, "mc-benchmark", 20).tolist() == [6, 8, 5]


def test_the_staggered_pipeline_is_even_and_sooner_done():
    panels = []
    found = gsa_bursts.waves(Lab(True, Cells(None), figure=panels.append))
    assert found["rounds, staggered"] < found["rounds, together"]
    (panel,) = panels
    assert [s.name for s in panel.series] == ["together", "staggered"]
    assert all(s.y.max() <= 4096 for s in panel.series)
    assert panel.marks[0].at == 4096


def test_the_trap():
    found = gsa_bursts.trap(Lab(True, Cells(None)))
    assert found.measured["GSA"] == 22_262 and found.measured["GBA"] == pytest.approx(13_448)
