"""Writes docs/reproduction.md and a page for each paper from docs/reproduction.json.

That file is what ``plimsoll reproduce all --quick --json --figures docs/images`` printed. Run as ``python
docs/reproduction.py``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plimsoll.reproduce.ledger import MEASURED, NOT_CHECKABLE, NOT_RUN

HOME = Path(__file__).parent
HEAD = """# The papers, claim by claim

`plimsoll reproduce` runs the experiments of the papers that plimsoll builds on and says of each of their claims what
came of it. No verdict about figures stands without a figure that the run measured; a theorem counts as reproduced when
it held on every run. Of {count} claims:

{verdicts}

```console
$ plimsoll reproduce wait --quick
...
9 claims: ...
```

For the papers, `mc-sf`, `svf`, `gsa`, `wait` or `all`. `--json` prints claims and tables as one object,
`--figures FOLDER` draws the figures.

With `--quick` the trials are few and the traces short: minutes in all, with the core install alone (the figures need
the extra `plot`). Without it they are the papers' own numbers: three to five minutes each for `svf`, `gsa` and `wait`,
hours for `mc-sf`, whose optima take them; what is finished is kept in `reproduce-cells.json` (`--cells` names another
file), so that the same command takes up where it was interrupted.
Where a licensed data set is needed, a stand-in with its published means and medians is used and the note says so;
`--lengths FILE` takes the real one.

The figures here and on the pages of the papers are those of a {mode} run. The full runs of `svf`, `gsa` and `wait`
come to the same verdicts but for two claims, 25 and 26, which are then reproduced in shape: over 20 settings GSA-Spec
is the lowest in 14 and GBA-D in 11. The pages are written by `python docs/reproduction.py` from
`docs/reproduction.json`.

| verdict | means |
|---|---|
| reproduced | it held on every run, or our figures agree |
| reproduced in shape | the effect is there with its sign and at least half its size, or the order is the same |
| not reproduced | it is not seen here; the note has our figures and the likely cause |
| not checkable here | it needs what is not at hand: hardware, an unpublished algorithm; the note says what |
"""
PAPERS = {
    "mc-sf": ("MC-SF", "Jaillet et al., *Online Scheduling for LLM Inference with KV Cache Constraints*"
              " (arXiv:2502.07115); A-Max (arXiv:2508.14544)"),
    "svf": ("SVF", "Kong et al., *Geometry-Aware Online Scheduling for LLM Serving* (arXiv:2606.22327)"),
    "gsa": ("GSA, GBA, Route", "Feng et al., *Competitive Non-Clairvoyant KV-Cache Scheduling for LLM Inference*"
            " (arXiv:2601.22996); *General Non-Clairvoyant KV-Cache Scheduling via Regime-Aware Routing*"
            " (arXiv:2607.09248)"),
    "wait": ("WAIT", "Ao et al., *Fluid-Guided Online Scheduling with Memory Constraints* (arXiv:2504.11320)"),
}  # fmt: skip


def cell(value: str | float | None) -> str:
    """A value inside a table of Markdown."""
    if isinstance(value, int | float):
        whole = abs(value) >= 1000 or (value == int(value) and abs(value) < 1e15)
        return f"{value:,.0f}" if whole else f"{value:.4g}"
    return (value or "").replace("|", "\\|").replace("_", "\\_").replace("*", "\\*") or "–"


def table(heads: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> str:
    """A table of Markdown; the columns that hold numbers only are set to the right."""
    numbers = [all(not isinstance(row[k], str) for row in rows) for k in range(len(heads))]
    lines = ["| " + " | ".join(map(cell, heads)) + " |", "|" + "".join("---:|" if n else "---|" for n in numbers)]
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)]) + "\n"


def claims_of(title: str) -> set[int]:
    """The claims that the title of a table speaks of: ``Claims 7 and 8: …``."""
    return {int(number) for number in re.findall(r"\d+", title.partition(":")[0])}


def overview(told: dict[str, Any]) -> str:
    """The page with every claim in one line."""
    rows = told["claims"]
    counts = Counter(row["verdict"] for row in rows)
    order = [verdict for verdict in (*MEASURED, NOT_CHECKABLE, NOT_RUN) if counts[verdict]]
    verdicts = "\n".join(f"- {counts[verdict]} {verdict}" for verdict in order)
    parts = [HEAD.format(count=len(rows), verdicts=verdicts, mode="quick" if told["quick"] else "full")]
    for paper, (name, source) in PAPERS.items():
        mine = [[row["id"], row["claim"], row["verdict"]] for row in rows if row["paper"] == paper]
        link = f"{source}. [Figures, settings and tables](reproduction-{paper}.md)."
        parts.append(f"## {name}\n\n{link}\n\n{table(['', 'claim', 'verdict'], mine)}")
    return "\n".join(parts)


def page(told: dict[str, Any], paper: str) -> str:
    """Everything about one paper: each claim, what was published and what came of it, its tables and its figures."""
    name, source = PAPERS[paper]
    parts = [f"# {name}: published and ours\n\n{source}.\n\nFrom `plimsoll reproduce {paper} --quick`."]
    if not told["quick"]:
        parts = [parts[0].replace(" --quick", "")]
    shown: set[str] = set()
    for row in (row for row in told["claims"] if row["paper"] == paper):
        parts.append(f"## {row['id']}. {row['verdict'].capitalize()}\n\n{row['claim']}.\n\n" + _facts(row))
        for made in told["tables"]:
            if row["id"] in claims_of(made["title"]) and made["title"] not in shown:
                shown.add(made["title"])
                parts.append(f"**{cell(made['title'])}**\n\n{table(made['columns'], made['rows'])}".rstrip())
        for figure in told["figures"]:
            if re.match(rf"claim-{row['id']}(-|$)", figure):
                parts.append(f"![Claim {row['id']}: {figure.removeprefix('claim-')}](images/{figure}.svg)")
    return "\n\n".join(parts) + "\n"


def _facts(row: dict[str, Any]) -> str:
    facts = {"source": row["source"], "checked by": row["how"], "published": row["published"], "ours": row["ours"],
             "note": row["note"]}  # fmt: skip
    return "\n".join(f"- {name}: {cell(text)}" for name, text in facts.items() if text)


def render(told: dict[str, Any]) -> dict[str, str]:
    """Every page by the name of its file."""
    return {"reproduction.md": overview(told)} | {f"reproduction-{paper}.md": page(told, paper) for paper in PAPERS}


if __name__ == "__main__":
    told = json.loads((HOME / "reproduction.json").read_text(encoding="utf-8"))
    for name, text in render(told).items():
        (HOME / name).write_text(text, encoding="utf-8")
