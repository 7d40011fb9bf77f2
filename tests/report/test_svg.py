"""Still pictures: what they show lies inside them, and on round places."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from plimsoll.report.page import report_page, run_styles
from plimsoll.report.panel import Axis, Panel, Series
from plimsoll.report.svg import areas, log_ticks, panel_svg, tick_text


def test_every_text_of_the_page_lies_in_its_picture(comparison):
    for picture in re.findall(r"<svg viewBox.*?</svg>", report_page(*comparison).split("<script")[0]):
        sizes = re.match(r'<svg viewBox="0 0 (\S+) (\S+)"', picture)
        wide, tall = (float(size) for size in sizes.groups()) if sizes else (0.0, 0.0)
        for x, y in re.findall(r'<text x="(\S+)" y="(\S+)"', picture):
            assert 0 <= float(x) <= wide and 0 <= float(y) <= tall


@pytest.mark.parametrize(
    ("low", "high", "most", "told"),
    [
        (0.95, 16, 7, [1, 2, 5, 10]),
        (0.95, 16, 2, [1, 10]),
        (1e-4, 1, 7, [1e-4, 1e-3, 0.01, 0.1, 1]),
        (30, 45, 5, [30, 35, 40, 45]),
        (1, 1e8, 4, [1, 1e3, 1e6]),
    ],
)
def test_places_on_a_logarithmic_axis(low, high, most, told):
    assert log_ticks(low, high, most) == pytest.approx(told)


def test_numbers_beside_an_axis():
    assert [tick_text(v) for v in (0, 0.0001, 0.05, 2000, 12_500, 3e6)] == ["0", "1e-4", "0.05", "2000", "12.5k", "3M"]


def test_areas_are_stacked():
    lower, upper = areas(np.array([0.0, 1.0]), np.array([[1.0, 2.0], [3.0, 0.0]]))
    assert lower.tolist() == [[0, 1], [1, 2], [1, 0], [0, 0]]
    assert upper.tolist() == [[0, 4], [1, 2], [1, 2], [0, 1]]


def test_an_axis_keeps_the_limits_it_is_given():
    x, y = Axis("time", "s", limits=(0.0, 100.0)), Axis("memory", "tokens", limits=(0.0, 50.0))
    line = Series("a", np.array([10.0, 20.0]), np.array([900.0, 1.0]))
    texts = re.findall(r">([^<]+)</text>", panel_svg(Panel("p", "P", "", x, y, [line]), ["s0 d0"]))
    assert "100" in texts and "50" in texts and "900" not in texts


def test_each_run_has_a_line_of_its_own(comparison):
    runs = comparison[1]
    crossed = [replace(runs[0], policy=f"p{k}", predictor=f"q{j}") for k in range(16) for j in range(2)]
    assert len(set(run_styles(crossed))) == len(crossed)
    own = [replace(runs[0], policy=f"p{k}", predictor="law" if k == 3 else "exact") for k in range(9)]
    assert len(set(run_styles(own))) == len(own)
