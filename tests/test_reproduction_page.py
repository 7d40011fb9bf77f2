"""The pages on the papers are what docs/reproduction.json says, and that file tells every claim."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from plimsoll.reproduce.ledger import MEASURED, claims

DOCS = Path(__file__).parents[1] / "docs"
PAGE = runpy.run_path(str(DOCS / "reproduction.py"))
TOLD = json.loads((DOCS / "reproduction.json").read_text())


@pytest.mark.parametrize("name", ["reproduction.md", *(f"reproduction-{paper}.md" for paper in PAGE["PAPERS"])])
def test_the_pages_are_up_to_date(name):
    assert (DOCS / name).read_text() == PAGE["render"](TOLD)[name], "run: python docs/reproduction.py"


def test_every_claim_of_the_ledger_is_told_in_its_words():
    assert [(row["id"], row["claim"], row["published"]) for row in TOLD["claims"]] == [
        (c.id, c.claim, c.published) for c in claims()
    ]


def test_no_verdict_about_figures_without_a_figure():
    assert all(row["measured"] for row in TOLD["claims"] if row["verdict"] in MEASURED)


def test_every_table_and_figure_finds_its_claim():
    text = "".join(PAGE["render"](TOLD).values())
    assert all(PAGE["cell"](made["title"]) in text for made in TOLD["tables"])
    assert TOLD["figures"] and all(f"(images/{name}.svg)" in text for name in TOLD["figures"])
    assert all((DOCS / "images" / f"{name}.svg").exists() for name in TOLD["figures"])
