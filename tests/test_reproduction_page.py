"""docs/reproduction.md is what docs/reproduction.json says, and that file tells every claim."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from plimsoll.reproduce.ledger import MEASURED, claims

ROOT = Path(__file__).parents[1]
PAGE = runpy.run_path(str(ROOT / "docs" / "reproduction.py"))
TOLD = json.loads((ROOT / "docs" / "reproduction.json").read_text())


def test_the_page_is_up_to_date():
    assert (ROOT / "docs" / "reproduction.md").read_text() == PAGE["render"](TOLD), "run: python docs/reproduction.py"


def test_every_claim_of_the_ledger_is_told_in_its_words():
    assert [(row["id"], row["claim"], row["published"]) for row in TOLD["claims"]] == [
        (c.id, c.claim, c.published) for c in claims()
    ]


def test_no_verdict_about_figures_without_a_figure():
    assert all(row["measured"] for row in TOLD["claims"] if row["verdict"] in MEASURED)
