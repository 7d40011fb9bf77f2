"""``plimsoll check``: what simulation said against what an engine then did."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from .options import Machine, Source, setting

app = App(name="check", help="What simulation said against what an engine then did.")
_SOURCE, _MACHINE = Source(), Machine()


@app.default
def check(
    trace: str,
    *,
    engine_log: Path,
    policy: str = "fcfs",
    predictor: str = "exact",
    within: float | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    source: Source = _SOURCE,
    machine: Machine = _MACHINE,
) -> None:
    """Simulate a trace in the serving host and set it beside the engine's log.

    Parameters
    ----------
    trace : what was sent: the trace that `plimsoll record` made, or the one that was replayed.
    engine_log : what the engine did: the log of the plug-in or of `plimsoll proxy --log`.
    policy : what the engine ran.
    predictor : what the policy believed about output lengths.
    within : exit with 1 if the simulated mean latency is off by more than this share.
    as_json : one JSON object on stdout.
    """
    from ..engine.record import read_log
    from ..experiment.check import check as compare
    from ..simulation import simulate
    from .show import show_basis, show_check

    requests, host, _ = setting(trace, source, machine)
    log = read_log(engine_log)
    rows = compare(log, simulate(requests, policy, host, predictor, source.seed))
    if as_json:
        told = {
            "trace": requests.name,
            "policy": policy,
            "basis": host.basis,
            "figures": [row.to_json() for row in rows],
        }
        print(json.dumps({"schema": 1, **told}))
    else:
        show_check(rows)
        show_basis(host.basis)
    off = rows[0].difference
    if within is not None and (off is None or abs(off) > within):
        sys.exit(1)
