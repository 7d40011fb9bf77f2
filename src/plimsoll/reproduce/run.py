"""Running papers: every claim ends with a verdict."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from .lab import Lab
from .ledger import Finding, claims

PAPERS = {"mc-sf": "mc_sf", "svf": "svf", "gsa": "gsa", "wait": "wait"}
"""The papers by the name of their policy, with the module of each, in the order in which they run."""


def reproduce(paper: str, lab: Lab) -> list[Finding]:
    """Run one paper's experiments.

    Raises
    ------
    ValueError
        If its module speaks of a claim that is not its own, or twice of one.
    """
    run: Callable[[Lab], list[Finding]] = import_module(f".{PAPERS[paper]}", __package__).reproduce
    findings = run(lab)
    own = {c.id for c in claims() if c.paper == paper}
    told = [finding.claim for finding in findings]
    if len(told) != len(set(told)) or not own.issuperset(told):
        raise ValueError(f"{paper}: findings on {sorted(told)}, its claims are {sorted(own)}")
    return findings
