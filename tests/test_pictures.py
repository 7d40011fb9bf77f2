"""The pictures of the model show what its page says of them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["one_request", "two_orders", "look_ahead", "pipeline"])
def test_a_picture_says_what_the_committed_one_says(name):
    pytest.importorskip("matplotlib")
    drawn = runpy.run_path(str(DOCS / "pictures.py"))[name]()
    kept = (DOCS / "images" / f"model-{name.replace('_', '-')}.svg").read_text()
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in drawn.axes]
    assert titles and all(f">{title}</text>" in kept for title in titles)
