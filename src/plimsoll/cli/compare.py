"""``plimsoll compare``: the main job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from .options import Machine, Service, Source, setting

app = App(name="compare", help="Run policies on a trace and rank them, with the certified bound.")
POLICIES = "fcfs,fcfs-reserve,mc-benchmark,sjf,mc-sf,svf,alpha-protection,alpha-beta,load-line"
_SOURCE, _MACHINE, _SERVICE = Source(), Machine(), Service()


@app.default
def compare(
    trace: str,
    *,
    policies: str = POLICIES,
    predictor: str | None = None,
    predictors: str | None = None,
    report: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    source: Source = _SOURCE,
    machine: Machine = _MACHINE,
    service: Service = _SERVICE,
) -> None:
    """Run policies on a trace and print a ranked table with the certified distance from the best possible.

    Parameters
    ----------
    trace : a file in any known format, or a built-in workload such as azure-conv or lmsys?rate=50.
    policies : names of `plimsoll policies`, separated by commas; parameters as in mc-sf:protect=0.1.
    predictor : what is believed about output lengths, as exact (the default; law of load-line) or noisy:0.2.
    predictors : several of them, separated by commas: every policy runs with each.
    report : an HTML page with pictures of the runs, complete in itself.
    as_json : one JSON object on stdout.
    """
    from contextlib import ExitStack

    from ..atomic import replacing
    from ..named import names
    from .show import show_attainment, show_comparison, watching

    beliefs, (slo, rates) = names(predictors) if predictors else [predictor], service.limits()
    with ExitStack() as stack:
        page = stack.enter_context(replacing(report)) if report is not None else None  # a bad path fails first
        watch = stack.enter_context(watching())
        from ..experiment.attainment import attainment
        from ..experiment.run import compare as compare_all

        requests, host, dropped = setting(trace, source, machine)
        runs = compare_all(requests, names(policies), host, beliefs, source.seed, watch, dropped)
        attained = []
        if slo is not None and rates:
            attained = attainment(requests, names(policies), host, rates, slo.limits, beliefs, source.seed, watch)
        if page is not None:
            from ..report.page import report_page

            page.write_text(report_page(requests, runs, attained), encoding="utf-8")
    if as_json:
        told = {"attainment": [a.to_json() for a in attained]} if rates else {}
        rows = [r.to_json() | ({} if slo is None else {"slo": slo.to_json(r.result)}) for r in runs]
        print(json.dumps({"schema": 1, "trace": requests.name, "runs": rows, **told}))
    else:
        show_comparison(requests, host, runs, slo)
        show_attainment(attained, host.unit)
