"""The ledger: what the papers claim, and the verdict of a run on each claim."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

REPRODUCED, IN_SHAPE, NOT_REPRODUCED = "reproduced", "reproduced in shape", "not reproduced"
NOT_CHECKABLE, NOT_RUN = "not checkable here", "not run"
MEASURED = (REPRODUCED, IN_SHAPE, NOT_REPRODUCED)
"""Verdicts that need a number beside them."""


@dataclass(frozen=True)
class Claim:
    """One published statement.

    Attributes
    ----------
    id : its number in the ledger.
    paper : the module that checks it: mc-sf, svf, gsa or wait.
    claim, source, published, how : what is said, where, with which figures, and how it is checked here.
    """

    id: int
    paper: str
    claim: str
    source: str
    published: str
    how: str


@dataclass(frozen=True)
class Finding:
    """What a run found about one claim.

    Attributes
    ----------
    claim : its number.
    measured : figures of this run by name, in the order in which they are told.
    note : conditions, and where ours differs the likely cause.

    Raises
    ------
    ValueError
        If the verdict is unknown, or says something about figures without having any.
    """

    claim: int
    verdict: str
    measured: Mapping[str, float] = field(default_factory=dict[str, float])
    note: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in (*MEASURED, NOT_CHECKABLE, NOT_RUN):
            raise ValueError(f"claim {self.claim}: no verdict {self.verdict!r}")
        if self.verdict in MEASURED and not self.measured:
            raise ValueError(f"claim {self.claim}: {self.verdict}, but nothing was measured")
        if not all(isfinite(value) for value in self.measured.values()):
            raise ValueError(f"claim {self.claim}: a figure is not finite: {dict(self.measured)}")

    @property
    def ours(self) -> str:
        """The figures as a person reads them."""
        return ", ".join(f"{name} {_figure(value)}" for name, value in self.measured.items())


def _figure(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def held(claim: int, holds: bool, measured: Mapping[str, float], note: str = "") -> Finding:
    """The verdict on a statement that either holds on everything that was run, or does not."""
    return Finding(claim, REPRODUCED if holds else NOT_REPRODUCED, measured, note)


@cache
def claims() -> tuple[Claim, ...]:
    """The ledger, by number."""
    text = files("plimsoll.reproduce").joinpath("claims.toml").read_text(encoding="utf-8")
    return tuple(Claim(**row) for row in tomllib.loads(text)["claim"])


def rows(findings: Sequence[Finding], papers: Sequence[str]) -> list[dict[str, Any]]:
    """Every claim of these papers as ``reproduce --json`` prints it; what no finding speaks of was not run."""
    known = {finding.claim: finding for finding in findings}
    return [_row(c, known.get(c.id, Finding(c.id, NOT_RUN))) for c in claims() if c.paper in papers]


def _row(claim: Claim, finding: Finding) -> dict[str, Any]:
    return {
        "id": claim.id,
        "claim": claim.claim,
        "source": claim.source,
        "verdict": finding.verdict,
        "published": claim.published,
        "ours": finding.ours,
        "measured": dict(finding.measured),
        "note": finding.note,
        "paper": claim.paper,
        "how": claim.how,
    }
