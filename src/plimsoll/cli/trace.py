"""``plimsoll trace``: describe, convert, generate and fetch traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from .source import Whole, load

if TYPE_CHECKING:
    from ..description import Description

app = App(name="trace", help="Describe, convert, generate and fetch traces.")
Json = Annotated[bool, Parameter(name="--json", negative="")]
Flag = Annotated[bool, Parameter(negative="")]


@app.command
def describe(
    trace: str,
    *,
    capacity: Whole | None = None,
    rounds_per_s: float = 20,
    requests: Whole | None = None,
    rate: float | None = None,
    seed: Whole = 0,
    columns: str | None = None,
    as_json: Json = False,
) -> None:
    """Print the rate, lengths and load of a trace.

    Parameters
    ----------
    trace
        A file in any known format, or a built-in workload such as azure-conv or "lmsys?rate=50".
    capacity
        KV cache size in tokens, for the load; a built-in workload has a default.
    rounds_per_s
        Rounds of the model in a second.
    requests
        Only the first so many.
    rate
        Rescale the arrivals to so many requests per second.
    seed
        Of a built-in workload.
    columns
        Names of the file's columns, as arrival_s=ts,prompt_tokens=in,output_tokens=out.
    as_json
        One JSON object on stdout.
    """
    from ..description import describe as in_numbers
    from ..workload import default_capacity, has_default_capacity

    found = load(trace, requests=requests, rate=rate, seed=seed, columns=columns)
    if capacity is None and has_default_capacity(trace):
        capacity = default_capacity(trace, seed)
    told = in_numbers(found, capacity, rounds_per_s)
    if as_json:
        print(json.dumps(told.to_json()))
    else:
        _print(told)


@app.command
def convert(
    trace: Path,
    out: Path,
    *,
    requests: Whole | None = None,
    rate: float | None = None,
    columns: str | None = None,
    drop_empty: Flag = False,
    drop_oversize: Flag = False,
    capacity: Whole | None = None,
    as_json: Json = False,
) -> None:
    """Read a trace in any known format and write it as .parquet, .csv or .jsonl (Mooncake's form).

    Parameters
    ----------
    trace
        The file to read; its format is told by its content.
    out
        The file to write; the ending of its name chooses the format.
    requests
        Only the first so many of those kept.
    rate
        Rescale the arrivals to so many requests per second.
    columns
        Names of the file's columns, as arrival_s=ts,prompt_tokens=in,output_tokens=out.
    drop_empty
        Leave out, and count, requests with zero output.
    drop_oversize
        Leave out, and count, requests that can never fit in --capacity.
    capacity
        KV cache size in tokens; a request that can never fit is then an error.
    as_json
        One JSON object on stdout.
    """
    from ..errors import InputError
    from ..formats import parse_columns, read_dropping, write_trace

    if drop_oversize and capacity is None:
        raise InputError("--drop-oversize needs --capacity TOKENS")
    names = None if columns is None else parse_columns(columns)
    found, empty = read_dropping(trace, names, drop_empty=drop_empty)
    oversize = 0
    if capacity is not None:
        found, oversize = found.fitting(capacity, drop=drop_oversize)
    if requests is not None:
        found = found.head(requests)
    if rate is not None:
        found = found.at_rate(rate)
    write_trace(found, out)
    if as_json:
        counts = {"requests": len(found), "dropped_empty": empty, "dropped_oversize": oversize}
        print(json.dumps({"schema": 1, "out": str(out), **counts}))
        return
    print(f"{out}: {len(found)} requests")
    if drop_empty:
        print(f"left out {empty} with zero output")
    if drop_oversize:
        print(f"left out {oversize} that can never fit in {capacity} tokens")


@app.command
def generate(
    workload: str,
    out: Path,
    *,
    requests: Whole | None = None,
    rate: float | None = None,
    seed: Whole = 0,
    as_json: Json = False,
) -> None:
    """Draw a trace from a workload and write it as .parquet, .csv or .jsonl (Mooncake's form).

    Parameters
    ----------
    workload
        A built-in name, such as azure-conv, with parameters after a question mark if you like:
        "synthetic?prompt=lognormal:mu=6,sigma=1&output=geometric:mean=200&arrivals=gamma:cv=3", or
        "like?file=trace.parquet" for what looks like that trace.
    out
        The file to write; the ending of its name chooses the format.
    requests
        How many to draw.
    rate
        Requests per second.
    seed
        The same seed draws the same trace.
    as_json
        One JSON object on stdout.
    """
    from ..formats import write_trace
    from ..workload import generate as draw

    drawn = draw(workload, requests, rate, seed)
    write_trace(drawn, out)
    if as_json:
        print(json.dumps({"schema": 1, "out": str(out), "requests": len(drawn), "workload": workload, "seed": seed}))
    else:
        print(f"{out}: {len(drawn)} requests")


@app.command
def fetch(name: str, *, to: Path | None = None, as_json: Json = False) -> None:
    """Download a public trace, check its digest, and print where it lies.

    Parameters
    ----------
    name
        Azure-2023-conv, mooncake-conversation or vidur-arxiv.
    to
        The folder to keep it in; by default the user's cache.
    as_json
        One JSON object on stdout.
    """
    from ..fetch import TRACES
    from ..fetch import fetch as download

    path = download(name, to)
    if as_json:
        print(json.dumps({"schema": 1, "name": name, "path": str(path), "source": TRACES[name].source}))
    else:
        print(path)


def _print(told: Description) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{told.trace}: {told.requests:,} requests{_groups(told)}", markup=False)
    if told.rate_per_s is not None and told.duration_s is not None:
        console.print(
            f"{told.duration_s:,.1f} s, {told.rate_per_s:.4g} requests/s, "
            f"CV of interarrival times {told.interarrival_cv or 0:.2f}"
        )
    table = Table("tokens", *(f"{head:>9}" for head in ("mean", "p50", "p90", "p99", "max")), box=None)
    for side, spread in (("prompt", told.prompt_tokens), ("output", told.output_tokens)):
        values = (spread.mean, spread.p50, spread.p90, spread.p99, spread.max)
        table.add_row(side, *(f"{value:>9,.0f}" for value in values))
    console.print(table)
    console.print(
        f"mean volume {told.mean_volume:,.0f} token-rounds, the largest request holds {told.largest:,} tokens"
    )
    if told.capacity_tokens is not None:
        at = "" if told.load is None else f", load {told.load:.3f} at {told.rounds_per_s:g} rounds/s"
        console.print(f"capacity {told.capacity_tokens:,} tokens{at}")
    if told.oversize:
        console.print(f"{told.oversize:,} requests can never fit")
    if told.reading:
        console.print(told.reading)


def _groups(told: Description) -> str:
    counts = ((told.sessions, "sessions"), (told.clients, "clients"))
    return "".join(f", {count:,} {what}" for count, what in counts if count is not None)
