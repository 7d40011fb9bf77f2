"""``plimsoll run``: one policy on one trace."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from .options import Machine, Source, setting

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..bounds.certificate import Certificate
    from ..host.result import Result
    from ..progress import Progress

app = App(name="run", help="Run one policy on a trace.")
_SOURCE, _MACHINE = Source(), Machine()


@app.default
def run(
    trace: str,
    *,
    policy: str,
    predictor: str | None = None,
    out: Path | None = None,
    watch: Annotated[bool, Parameter(negative="")] = False,
    slo: str | None = None,
    certify: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    source: Source = _SOURCE,
    machine: Machine = _MACHINE,
) -> None:
    """Run one policy on a trace and print its figures. Exit code 1 when the run ends unstable.

    Parameters
    ----------
    trace : a file in any known format, or a built-in workload such as azure-conv or lmsys?rate=50.
    policy : a name of `plimsoll policies` with parameters, as alpha-beta:alpha=0.2,beta=0.1, or my.py:Class.
    predictor : what is believed about output lengths, as exact (the default; law of load-line) or noisy:0.2.
    out : per-request times, a Parquet file.
    watch : draw the memory picture in the terminal while it runs, and when it is done.
    slo : limits in the host's unit, as ttft<=2,tpot<=0.1: goodput is told. One with a statistic, as p99_ttft<=2, binds
        the run: exit code 1 when it is missed.
    certify : check the policy's own theorem on this run; exit code 1 when it fails.
    as_json : one JSON object on stdout.
    """
    from .show import show_run, watching

    with watching():
        from ..experiment.goodput import Slo
        from ..experiment.run import run as run_one

        promised = None if slo is None else Slo.of(slo)
        requests, host, dropped = setting(trace, source, machine)
    with _picture(host.capacity) if watch else watching() as shown:
        done = run_one(requests, policy, host, predictor, source.seed, shown(policy, 0, 1), rejected=dropped)
    if watch:
        from .watch import show_memory

        show_memory(policy, done.result)
    if out is not None:
        from ..host.table import write_result

        write_result(done.result, out)
    checks = _checks(policy, done.result) if certify else []
    if as_json:
        told = {"certificates": [check._asdict() for check in checks]} if certify else {}
        told |= {"slo": promised.to_json(done.result)} if promised else {}
        print(json.dumps(done.to_json() | told))
    else:
        show_run(done, promised)
        for check in checks:
            print(f"{'holds' if check.holds else 'FAILS'}, slack {check.slack:.6g}: {check.statement}")
    broken = promised is not None and not promised.kept(done.result)
    if done.result.status != "ok" or broken or not all(check.holds for check in checks):
        sys.exit(1)


def _picture(capacity: int) -> AbstractContextManager[Callable[[str, int, int], Progress]]:
    from .watch import watching_memory

    return watching_memory(capacity)


def _checks(policy: str, result: Result) -> list[Certificate]:
    from ..bounds.certify import certify
    from ..policy import load_policy

    return certify(load_policy(policy), result)
