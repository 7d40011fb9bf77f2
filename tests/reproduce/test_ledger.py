"""The ledger and its verdicts: every claim appears, and no verdict stands without a number."""

from __future__ import annotations

import pytest

from plimsoll.reproduce.ledger import IN_SHAPE, NOT_CHECKABLE, NOT_RUN, REPRODUCED, Finding, claims, rows
from plimsoll.reproduce.run import PAPERS


def test_the_ledger_is_complete():
    assert [c.id for c in claims()] == list(range(1, 45))
    assert {c.paper for c in claims()} == {"mc-sf", "svf", "gsa", "wait"}
    assert set(PAPERS) <= {c.paper for c in claims()}
    for c in claims():
        assert c.claim and c.published and c.how and "arXiv" in c.source


def test_a_verdict_needs_a_number():
    for verdict in (REPRODUCED, IN_SHAPE):
        with pytest.raises(ValueError, match="nothing was measured"):
            Finding(1, verdict)
    with pytest.raises(ValueError, match="not finite"):
        Finding(1, REPRODUCED, {"ratio": float("nan")})
    with pytest.raises(ValueError, match="no verdict 'fine'"):
        Finding(1, "fine", {"ratio": 1.0})
    assert Finding(1, NOT_CHECKABLE, note="no GPU").ours == ""


def test_figures_as_a_person_reads_them():
    assert Finding(1, REPRODUCED, {"ratio": 1.23456, "trials": 100.0, "total": 22262.4}).ours == (
        "ratio 1.235, trials 100, total 22,262"
    )


def test_what_nobody_speaks_of_was_not_run():
    told = rows([Finding(12, REPRODUCED, {"optima": 3.0})], ["svf"])
    assert [row["id"] for row in told] == list(range(12, 20))
    assert told[0]["verdict"] == REPRODUCED and told[0]["ours"] == "optima 3"
    assert {row["verdict"] for row in told[1:]} == {NOT_RUN}
