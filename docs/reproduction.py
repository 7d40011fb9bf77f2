"""Writes docs/reproduction.md: every claim with its verdict, from docs/reproduction.json.

That file is what ``plimsoll reproduce all --quick --json`` printed. Run as ``python docs/reproduction.py``.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from plimsoll.reproduce.ledger import MEASURED, NOT_CHECKABLE, NOT_RUN

HOME = Path(__file__).parent
HEAD = """# The papers, claim by claim

<!-- tested -->

`plimsoll reproduce` runs the experiments of the papers that plimsoll builds on and says of each of their claims what
came of it. No verdict about figures stands without a figure that the run measured; a theorem counts as reproduced when
it held on every run. Of {count} claims:

{verdicts}

```console
$ plimsoll reproduce wait --quick
...
9 claims: ...
```

For the papers, `mc-sf`, `svf`, `gsa`, `wait` or `all`. `--json` prints the claims as one object.

With `--quick` the trials are few and the traces short: minutes in all, with the core install alone. Without it they
are the papers' own numbers and take hours; what is finished is kept in `reproduce-cells.json` (`--cells` names another
file), so that the same command takes up where it was interrupted. Where a licensed data set is needed, a stand-in with
its published means and medians is used and the note says so; `--lengths FILE` takes the real one.

The figures below are those of a {mode} run. This page is written by `python docs/reproduction.py` from
`docs/reproduction.json`.
"""
NAMES = {
    "mc-sf": "Jaillet et al., *Online Scheduling … with KV Cache Constraints* (2502.07115); A-Max (2508.14544)",
    "svf": "Kong et al., *Geometry-Aware Online Scheduling for LLM Serving* (2606.22327)",
    "gsa": "Feng et al., *Non-Clairvoyant KV-Cache Scheduling* (2601.22996), *Regime-Aware Routing* (2607.09248)",
    "wait": "Ao et al., *Fluid-Guided Online Scheduling with Memory Constraints* (2504.11320)",
}


def cell(text: str) -> str:
    """Text inside a table of Markdown."""
    return text.replace("|", "\\|").replace("_", "\\_").replace("*", "\\*") or "–"


def render(told: dict[str, Any]) -> str:
    """The whole page."""
    rows = told["claims"]
    counts = Counter(row["verdict"] for row in rows)
    order = [verdict for verdict in (*MEASURED, NOT_CHECKABLE, NOT_RUN) if counts[verdict]]
    verdicts = "\n".join(f"- {counts[verdict]} {verdict}" for verdict in order)
    parts = [HEAD.format(count=len(rows), verdicts=verdicts, mode="quick" if told["quick"] else "full")]
    for paper, name in NAMES.items():
        lines = ["| | claim | published | ours | verdict |\n|---|---|---|---|---|"]
        for row in (row for row in rows if row["paper"] == paper):
            ours = cell(row["ours"]) + (f"<br>{cell(row['note'])}" if row["note"] else "")
            claim = f"{cell(row['claim'])}<br>{cell(row['source'])}. Checked by: {cell(row['how'])}"
            lines.append(f"| {row['id']} | {claim} | {cell(row['published'])} | {ours} | **{row['verdict']}** |")
        parts.append(f"## {paper}\n\n{name}.\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    told = json.loads((HOME / "reproduction.json").read_text(encoding="utf-8"))
    (HOME / "reproduction.md").write_text(render(told), encoding="utf-8")
