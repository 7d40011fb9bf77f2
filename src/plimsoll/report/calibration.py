"""How well a predictor of output lengths is calibrated, as a page: observed against stated shares."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np

from ..atomic import replacing
from .page import viewer_file
from .panel import Axis, Panel, Series
from .svg import panel_svg

_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · plimsoll</title>
<style>{style}</style>
</head>
<body>
<main>
<p class="headline">{title}</p>
<p class="note">{note}</p>
<figure style="max-width: 760px">{picture}</figure>
</main>
</body>
</html>
"""


def calibration(name: str, observed: Mapping[str, float]) -> Panel:
    """The panel of a calibration.

    Parameters
    ----------
    name : of the trace whose requests were held out.
    observed : of each stated share (a quantile's level) the share of outputs that lay below.
    """
    stated = np.array([float(level) for level in observed])
    lines = [
        Series("learned", stated, np.array(list(observed.values())), 0),
        Series("perfect", np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1),
    ]
    note = "The dashed line is perfect; above it outputs are shorter than predicted, below it longer."
    x, y = Axis("stated share of outputs below"), Axis("observed share")
    return Panel("calibration", f"Calibration of the learned predictor on {name}", note, x, y, lines)


def write_calibration(path: Path, name: str, observed: Mapping[str, float]) -> None:
    """Write the picture as a page that needs neither script nor network."""
    panel = calibration(name, observed)
    picture = panel_svg(panel, ["s0 d0", "s6 d1"], height=480)
    page = _TEMPLATE.format(
        title=escape(panel.title), note=escape(panel.note), picture=picture, style=viewer_file("style.css")
    )
    with replacing(path) as part:
        part.write_text(page, encoding="utf-8")
