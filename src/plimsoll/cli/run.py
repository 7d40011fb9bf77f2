"""``plimsoll run``: one policy on one trace."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from .options import Machine, Source, setting

app = App(name="run", help="Run one policy on a trace.")
_SOURCE, _MACHINE = Source(), Machine()


@app.default
def run(
    trace: str,
    *,
    policy: str,
    predictor: str = "exact",
    out: Path | None = None,
    watch: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    source: Source = _SOURCE,
    machine: Machine = _MACHINE,
) -> None:
    """Run one policy on a trace and print its figures. Exit code 1 when the run ends unstable.

    Parameters
    ----------
    trace : a file in any known format, or a built-in workload such as azure-conv or lmsys?rate=50.
    policy : a name of `plimsoll policies` with parameters, as alpha-beta:alpha=0.2,beta=0.1, or my.py:Class.
    predictor : what is believed about output lengths, as exact, noisy:0.2 or one-bit:256.
    out : per-request times, a Parquet file.
    watch : draw the memory picture in the terminal while it runs, and when it is done.
    as_json : one JSON object on stdout.
    """
    from .show import show_run, watching

    with watching():
        from ..experiment.run import run as run_one
        from ..host.table import write_result
        from .watch import show_memory, watching_memory

        requests, host, dropped = setting(trace, source, machine)
    with watching_memory(host.capacity) if watch else watching() as shown:
        done = run_one(requests, policy, host, predictor, source.seed, shown(policy, 0, 1), rejected=dropped)
    if watch:
        show_memory(policy, done.result)
    if out is not None:
        write_result(done.result, out)
    if as_json:
        print(json.dumps(done.to_json()))
    else:
        show_run(done)
    if done.result.status != "ok":
        sys.exit(1)
