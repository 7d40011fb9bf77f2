"""``plimsoll capacity``: the highest load, or the least memory, that keeps service-level objectives."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ..errors import InputError
from .options import Machine, Source
from .source import Whole

if TYPE_CHECKING:
    from ..experiment.capacity import Edge, Fitting, Search
    from ..experiment.confidence import Interval

app = App(name="capacity", help="The highest load, or the least memory, that keeps service-level objectives.")
POLICIES = "fcfs,svf,load-line"
_SOURCE, _MACHINE = Source(), Machine()


@app.default
def capacity(
    trace: str,
    *,
    slo: list[str],
    vary: str = "rate",
    policies: str = POLICIES,
    predictor: str | None = None,
    replications: Whole = 5,
    tolerance: float = 0.02,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    source: Source = _SOURCE,
    machine: Machine = _MACHINE,
) -> None:
    """Find what each policy bears, on the same requests, with a 95 % interval over replications.

    Parameters
    ----------
    trace : a file in any known format, or a built-in workload such as azure-conv or lmsys?requests=5000.
    slo : a limit in the host's unit, as p99_ttft<=2 or mean_latency<=400; may be given several times.
    vary : rate, the highest arrival rate; memory, the least KV tokens; replicas, the fewest; gpu, every one known.
    policies : names of `plimsoll policies`, separated by commas.
    predictor : what is believed about output lengths, as exact (the default; law of load-line) or noisy:0.2.
    replications : seeds of a built-in workload, or consecutive parts of a file.
    tolerance : relative width to which each edge is bracketed.
    as_json : one JSON object on stdout.
    """
    from ..experiment.capacity import AXES, Search, find, try_gpus
    from ..experiment.objective import Objective
    from ..experiment.setting import Setting
    from ..named import names
    from .show import counting, show_edges, show_gpus

    if vary not in AXES:
        raise InputError(f"--vary must be one of {', '.join(AXES)}, not {vary}")
    setting = Setting(trace, **vars(source), **vars(machine))
    search = Search(setting, [Objective.of(text) for text in slo], AXES[vary], replications, tolerance)
    with counting("policies") as tell:
        if vary == "gpu":
            fitting = {policy: try_gpus(search, policy, predictor) for policy in names(policies)}
            edges, fluid = [], math.nan
        else:
            fitting = {}
            edges, fluid = find(search, names(policies), predictor, tell)
    if as_json:
        print(json.dumps(_told(search, edges, fluid, fitting)))
    elif fitting:
        show_gpus(search, fitting)
    else:
        show_edges(search, edges, fluid)


def _told(search: Search, edges: list[Edge], fluid: float, fitting: dict[str, list[Fitting]]) -> dict[str, Any]:
    head: dict[str, Any] = {
        "schema": 1,
        "trace": search.setting.trace,
        "vary": search.axis.name,
        "unit": search.axis.unit,
        "objectives": [str(o) for o in search.objectives],
        "replications": search.replications,
    }
    if fitting:
        return head | {"gpus": {policy: [_gpu(f) for f in found] for policy, found in fitting.items()}}
    head |= {} if search.basis is None else {"basis": search.basis}
    return head | {"fluid": fluid, "policies": [_edge(edge, edges[0]) for edge in edges]}


def _edge(edge: Edge, best: Edge) -> dict[str, Any]:
    return {
        "policy": edge.policy,
        "predictor": edge.predictor,
        "edge": _interval(edge.value),
        "over_best": _interval(edge.over(best)),
        "edges": [_number(value) for value in edge.edges],
        "cost_usd_per_million_tokens": edge.spent("cost_usd"),
        "energy_j_per_million_tokens": edge.spent("energy_j"),
        "monotone": not edge.broken,
        "broken": [{"at": at, "replication": k} for at, k in edge.broken],
        "frontier": [
            {"at": at, "kept": kept, "values": [_number(v) for v in values]} for at, kept, values in edge.frontier()
        ],
    }


def _gpu(found: Fitting) -> dict[str, Any]:
    runs = [
        {"values": [_number(v) for v in t.values], "met": t.met, "cost_usd_per_million_tokens": t.cost_usd,
         "energy_j_per_million_tokens": t.energy_j}
        for t in found.tried
    ]  # fmt: skip
    return {"gpu": found.gpu, "basis": found.basis, "met": found.met, "runs": runs}


def _interval(value: Interval) -> dict[str, float | None]:
    return {name: _number(end) for name, end in value._asdict().items()}


def _number(value: float) -> float | None:
    """What is infinite or nowhere is null."""
    return value if math.isfinite(value) else None
