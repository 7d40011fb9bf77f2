"""``plimsoll fluid``: the fluid equilibrium, the stability region, thresholds for WAIT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from ..bounds.advice import Advice

app = App(name="fluid", help="Fluid equilibrium, stability region and WAIT thresholds of a trace or of types.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.default
def fluid(
    source: str,
    *,
    capacity: float | None = None,
    types: int = 4,
    rate: float | None = None,
    requests: int | None = None,
    fixed_s: float | None = None,
    per_token_s: float | None = None,
    horizon: float = 3600.0,
    fail_prob: float = 0.01,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Say where a server settles, whether it keeps up, and what WAIT and Nested WAIT should wait for.

    Parameters
    ----------
    source : a trace (file or built-in workload), or a TOML file of [[type]] tables with rate (requests/s),
        prompt and output (tokens), and optionally capacity, fixed_s and per_token_s at its top.
    capacity : KV cache size, tokens.
    types : at most so many types are found in a trace by clustering its lengths.
    rate : requests per second, in place of the trace's own.
    requests : the first so many of the trace.
    fixed_s : seconds of an iteration without tokens.
    per_token_s : seconds per token of the batch.
    horizon : seconds the server runs, for the probability of overflow.
    fail_prob : the probability of overflow to allow.
    seed : of a built-in workload.
    as_json : one JSON object on stdout.
    """
    from ..bounds.advice import advise, read_types
    from ..policy.fluid import LinearStep, cluster

    given: dict[str, float] = {}
    if source.endswith(".toml"):
        found, given = read_types(Path(source))
        if rate is not None:
            found = found.at_rate(rate)
    else:
        from ..experiment.setting import capacity_for
        from .source import load

        found = cluster(load(source, requests=requests, rate=rate, seed=seed), types)
        capacity = capacity_for(source, None if capacity is None else int(capacity), seed)
    standard = LinearStep()
    step = LinearStep(
        given.get("fixed_s", standard.fixed_s) if fixed_s is None else fixed_s,
        given.get("per_token_s", standard.per_token_s) if per_token_s is None else per_token_s,
    )
    size = given.get("capacity", float("inf")) if capacity is None else capacity
    answer = advise(found, step, size, horizon_s=horizon, fail_prob=fail_prob)
    if as_json:
        print(json.dumps(answer.to_json()))
    else:
        _show(answer)


def _show(answer: Advice) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("type", "requests/s", "prompt", "output", "per stage", "threshold")
    found = answer.to_json()
    counts = found["wait"]["thresholds"] or [None] * len(found["types"])
    for at, (kind, count) in enumerate(zip(found["types"], counts, strict=True)):
        cells = [kind["rate"], kind["prompt"], kind["output"], kind["per_stage"], count]
        table.add_row(str(at), *("–" if cell is None else f"{cell:,.6g}" for cell in cells))
    console = Console()
    console.print(table)
    for line in answer.words():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
