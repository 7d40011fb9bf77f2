"""``plimsoll plot``: one picture of a comparison, its numbers, or a trace for a viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from .options import Machine, Service, Source, setting

app = App(name="plot", help="Draw runs: a figure, the numbers behind it, or a trace for a viewer.")
_SOURCE, _MACHINE, _SERVICE = Source(), Machine(), Service()


@app.default
def plot(
    trace: str,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    panel: str = "picture",
    policies: str = "fcfs,svf",
    predictor: str | None = None,
    predictors: str | None = None,
    source: Source = _SOURCE,
    machine: Machine = _MACHINE,
    service: Service = _SERVICE,
) -> None:
    """Run policies on a trace and draw one panel of the report; the ending of the output's name chooses the form.

    Parameters
    ----------
    trace : a file in any known format, or a built-in workload such as azure-conv or lmsys?rate=50.
    out : .png, .svg or .pdf, a figure; .csv or .parquet, its numbers; .json, the runs for a trace viewer (Perfetto).
    panel : picture (the memory, every request a wedge) or another panel of the report, such as latency-cdf, queue or
        bound; a wrong name is answered with all of them. For numbers also all.
    policies : names of `plimsoll policies`, separated by commas; parameters as in mc-sf:protect=0.1.
    predictor : what is believed about output lengths, as exact (the default; law of load-line) or noisy:0.2.
    predictors : several of them, separated by commas: every policy runs with each.
    """
    from ..experiment.attainment import attainment
    from ..experiment.run import compare
    from ..named import names
    from ..report.output import check_output, write_output
    from .show import watching

    check_output(out, panel)
    (slo, rates), attained = service.limits(), []
    requests, host, _ = setting(trace, source, machine)
    beliefs = names(predictors) if predictors else [predictor]
    with watching() as watch:
        runs = compare(requests, names(policies), host, beliefs, source.seed, watch)
        if slo is not None and rates:
            attained = attainment(requests, names(policies), host, rates, slo.limits, beliefs, source.seed, watch)
    runs.sort(key=lambda r: names(policies).index(r.policy))
    write_output(out, panel, requests, runs, attained)
