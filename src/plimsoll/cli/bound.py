"""``plimsoll bound``: the least total latency that any schedule could have had."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from ..bound.solve import Interval

app = App(name="bound", help="Certified lower bound on total latency and the best schedule known.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.default
def bound(
    trace: str,
    *,
    capacity: int | None = None,
    time_limit: float = 60.0,
    rounds_per_s: float = 20.0,
    requests: int | None = None,
    rate: float | None = None,
    columns: str | None = None,
    drop_oversize: bool = False,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Prove the optimum of a trace in the rounds host, or print a certified interval around it.

    Ctrl-C ends the search and prints the best interval so far.

    Parameters
    ----------
    trace : a file in any known format, or a built-in workload.
    capacity : KV cache size, tokens.
    time_limit : seconds.
    rounds_per_s : an arrival at second t falls on round floor(t * rounds-per-s).
    requests : the first so many.
    rate : rescales arrivals to so many requests per second.
    columns : names of a table's columns, such as arrival_s=ts,prompt_tokens=in,output_tokens=out.
    drop_oversize : leave out requests that can never fit.
    seed : of the local search and of a built-in workload.
    as_json : one JSON object on stdout.
    """
    from ..bound import solve
    from .source import capacity_for, load

    limit = capacity_for(trace, capacity, seed)
    found = load(trace, requests=requests, rate=rate, seed=seed, columns=columns)
    found, dropped = found.fitting(limit, drop=drop_oversize)
    if dropped:
        print(f"left out {dropped} requests that can never fit", file=sys.stderr)
    shown = _progress if sys.stderr.isatty() and not as_json else None
    answer = solve.bound(found, limit, time_limit, rounds_per_s=rounds_per_s, seed=seed, tell=shown)
    print(json.dumps(answer.as_dict()) if as_json else _text(answer))


def _progress(known: Interval) -> None:
    print(f"{known.seconds:6.1f} s  [{known.lower}, {known.upper}]  {known.method}", file=sys.stderr)


def _text(found: Interval) -> str:
    n = max(1, len(found.starts))
    verdict = "proved optimal" if found.proved else f"gap {found.gap:.2%}"
    return (
        f"total latency   {found.lower} ... {found.upper} rounds, {verdict}\n"
        f"mean latency    {found.lower / n:.2f} ... {found.upper / n:.2f} rounds\n"
        f"lower end by    {found.method}, {found.nodes} nodes, {found.seconds:.1f} s"
    )
