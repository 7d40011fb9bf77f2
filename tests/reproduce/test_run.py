"""Whole papers, quickly; and the command."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from plimsoll.cli import app
from plimsoll.errors import InputError
from plimsoll.reproduce import run
from plimsoll.reproduce.lab import Cells, Lab
from plimsoll.reproduce.ledger import MEASURED, NOT_CHECKABLE, Finding


def test_the_command_tells_every_claim_of_a_paper_and_takes_up_its_cells(tmp_path, capsys):
    cells = tmp_path / "cells.json"
    command = ["reproduce", "svf", "--quick", "--cells", str(cells), "--json"]
    app([*command, "--figures", str(tmp_path / "figures")], result_action="return_value")
    first = json.loads(capsys.readouterr().out)
    assert first["schema"] == 1 and first["quick"] is True
    assert [row["id"] for row in first["claims"]] == list(range(12, 20))
    for row in first["claims"]:
        assert {"id", "claim", "source", "verdict", "published", "ours", "note"} <= set(row)
        assert row["verdict"] in (*MEASURED, NOT_CHECKABLE)
        assert row["ours"] or row["verdict"] == NOT_CHECKABLE
    verdicts = {row["id"]: row["verdict"] for row in first["claims"]}
    assert all(verdicts[claim] == "reproduced" for claim in (12, 13, 14, 15, 16))
    assert any(made["title"].startswith("Claim 17: Poisson") for made in first["tables"])
    drawn = {file.stem for file in (tmp_path / "figures").glob("*.svg")}
    assert drawn == set(first["figures"]) == {"claim-17-8b-chat", "claim-17-8b-documents"}
    app(command, result_action="return_value")
    again = json.loads(capsys.readouterr().out)
    assert again["claims"] == first["claims"]


def test_tables_and_verdicts_for_the_eye(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app(["reproduce", "svf", "--quick"], result_action="return_value")
    out = capsys.readouterr().out
    assert "Claim 14" in out and "8 claims: " in out and "reproduced" in out
    assert not list(tmp_path.iterdir())


def test_an_unknown_paper_is_one_line():
    with pytest.raises(InputError, match="no paper svt; there are mc-sf, svf, gsa"):
        app(["reproduce", "svt"], exit_on_error=False)


def test_a_module_speaks_once_and_of_its_own_claims(monkeypatch):
    for told in ([Finding(1, NOT_CHECKABLE)], [Finding(12, NOT_CHECKABLE)] * 2):
        monkeypatch.setattr(run, "import_module", lambda *_, told=told: SimpleNamespace(reproduce=lambda lab: told))
        with pytest.raises(ValueError, match="its claims are"):
            run.reproduce("svf", Lab(True, Cells(None)))
