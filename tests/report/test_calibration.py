"""The calibration page draws what it is given."""

from __future__ import annotations

import re

from plimsoll.report.calibration import calibration, write_calibration

from .conftest import HOSTILE


def test_the_line_and_the_diagonal():
    panel = calibration("arena", {"0.1": 0.15, "0.5": 0.5, "0.9": 0.8})
    assert panel.series[0].x.tolist() == [0.1, 0.5, 0.9]
    assert panel.series[0].y.tolist() == [0.15, 0.5, 0.8]
    assert panel.series[1].x.tolist() == panel.series[1].y.tolist() == [0, 1]


def test_the_page_has_no_script_and_escapes_names(tmp_path):
    write_calibration(tmp_path / "a.html", HOSTILE, {"0.1": 0.15, "0.9": 0.8})
    page = (tmp_path / "a.html").read_text()
    assert "<script" not in page and "<img" not in page
    assert len(re.findall("<polyline", page)) == 2
