"""``plimsoll reproduce``: the papers' tables beside ours, claim by claim."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="reproduce", help="Published tables beside ours, claim by claim.")
Flag = Annotated[bool, Parameter(negative="")]


@app.default
def reproduce(
    paper: str = "all",
    *,
    quick: Flag = False,
    lengths: Path | None = None,
    cells: Path | None = None,
    figures: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Run the experiments of the papers and print a verdict on each of their claims.

    Parameters
    ----------
    paper : mc-sf (2502.07115), svf (2606.22327), gsa (2601.22996 and 2607.09248), wait (2504.11320), or all.
    quick : fewer trials and shorter traces; mc-sf takes minutes in place of hours.
    lengths : prompts and outputs of a chat data set, any trace file; a stand-in is built in.
    cells : finished parts of the experiments: the same command takes up where it was interrupted. In full mode
        reproduce-cells.json unless named.
    figures : a folder for the figures of the experiments, SVG; needs Matplotlib.
    as_json : one JSON object on stdout.
    """
    from ..errors import InputError
    from ..report.figure import draw_panel, load_matplotlib
    from ..report.panel import Panel
    from ..reproduce.lab import Cells, Lab, Table, read_lengths
    from ..reproduce.ledger import claims, rows
    from ..reproduce.run import PAPERS
    from ..reproduce.run import reproduce as run
    from .show import show_claims, show_table

    if paper != "all" and paper not in PAPERS:
        raise InputError(f"no paper {paper}; there are {', '.join(PAPERS)} and all")
    kept = cells if cells is not None or quick else Path("reproduce-cells.json")
    given = None if lengths is None else read_lengths(lengths)

    if figures is not None:
        load_matplotlib()
        figures.mkdir(parents=True, exist_ok=True)
    tables: list[Table] = []
    drawn: list[str] = []

    def table(made: Table) -> None:
        tables.append(made)
        if not as_json:
            show_table(made)

    def figure(panel: Panel) -> None:
        drawn.append(panel.name)
        if figures is not None:
            draw_panel(panel, [f"s{k % 8} d{k % 4}" for k in range(len(panel.series))], figures / f"{panel.name}.svg")

    lab = Lab(quick, Cells(kept), given, table, figure, _say)
    began, papers = time.monotonic(), list(PAPERS) if paper == "all" else [paper]
    told = sorted({c.paper for c in claims()}) if paper == "all" else papers
    found = rows([finding for name in papers for finding in run(name, lab)], told)
    if as_json:
        told_tables = [vars(made) for made in tables]
        shown = {"claims": found, "tables": told_tables, "figures": drawn}
        print(json.dumps({"schema": 1, "quick": quick, "seconds": time.monotonic() - began, **shown}))
    else:
        show_claims(found)


def _say(text: str) -> None:
    """What runs now, on one line of a terminal's stderr."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
