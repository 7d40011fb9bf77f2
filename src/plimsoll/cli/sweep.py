"""``plimsoll sweep``: a grid of runs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ..errors import InputError
from .source import Whole

app = App(name="sweep", help="Run a grid of settings, on this machine or on Ray; a killed sweep goes on where it was.")
MANY = 100_000


@app.default
def sweep(
    spec: Path,
    *,
    out: Path | None = None,
    workers: Whole | None = None,
    ray: str | None = None,
    yes: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Run every combination that has no result yet. Exit code 1 when some could not be run.

    Parameters
    ----------
    spec : a TOML file: each key an option of `plimsoll run` (or load), with a value or a list of values to cross.
    out : the results, a Parquet file; SPEC.parquet beside the spec when left out.
    workers : processes of this machine; one for each core when left out.
    ray : the address of a Ray cluster (HOST:PORT, ray://HOST:PORT), or auto for the one that this machine is in.
    yes : run a grid of more than 100,000 cells.
    as_json : one JSON object on stdout.
    """
    from ..experiment.grid import read_grid
    from ..experiment.sweep import sweep as run_all
    from .show import counting, show_sweep

    if workers is not None and workers < 1:
        raise InputError(f"--workers must be at least 1, not {workers}")
    if workers is not None and ray is not None:
        raise InputError("give --workers or --ray, not both")
    grid = read_grid(spec)
    if len(grid) > MANY and not yes:
        raise InputError(f"{spec}: a grid of {len(grid):,} cells; --yes runs it all the same")
    results = spec.with_suffix(".parquet") if out is None else out
    with counting("cells") as tell:
        swept = run_all(grid, results, workers or os.cpu_count() or 1, ray, tell)
    if as_json:
        told = {"cells": len(grid), "kept": swept.kept, "ran": swept.ran, "bad": len(swept.bad)}
        print(json.dumps({"schema": 1, "out": str(results), **told, "lost": len(swept.lost), "rows": swept.rows}))
    else:
        show_sweep(grid, swept, results)
    if swept.bad or swept.lost:
        sys.exit(1)
