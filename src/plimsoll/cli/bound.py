"""``plimsoll bound``: the least total latency that any schedule could have had."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ..errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..bounds.adversary import Search
    from ..bounds.problem import Problem
    from ..bounds.solve import Interval
    from ..trace import Trace

app = App(name="bound", help="Certified lower bound on total latency and the best schedule known.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.default
def bound(
    trace: str | None = None,
    *,
    worst: str | None = None,
    predictor: str = "exact",
    horizon: int = 0,
    equal_prompts: Annotated[bool, Parameter(negative="")] = False,
    tries: int = 1000,
    out: Path | None = None,
    capacity: int | None = None,
    time_limit: float = 60.0,
    rounds_per_s: float = 20.0,
    requests: int | None = None,
    rate: float | None = None,
    columns: str | None = None,
    drop_oversize: bool = False,
    weights: str | None = None,
    objective: str = "latency",
    method: str = "auto",
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Prove the optimum of a trace in the rounds host, or print a certified interval around it.

    The interval holds for schedules that kill and restart or pause requests too. Ctrl-C ends the search and prints
    the best interval so far.

    Parameters
    ----------
    trace : a file in any known format, or a built-in workload.
    worst : a policy: search for the instance on which it does worst; with a trace, made of requests as long as its own.
    predictor : with --worst, what the policy believes of output lengths.
    horizon : with --worst, arrivals lie in rounds 0 to this.
    equal_prompts : with --worst, one prompt length for all.
    tries : with --worst, instances to try.
    out : a file for the memory picture of the best schedule (.png, .svg, .pdf), its numbers (.csv, .parquet) or the
        schedule for a trace viewer (.json); with --worst, for the instance (.csv or .parquet).
    capacity : KV cache size, tokens.
    time_limit : seconds.
    rounds_per_s : an arrival at second t falls on round floor(t * rounds-per-s).
    requests : the first so many.
    rate : rescales arrivals to so many requests per second.
    columns : names of a table's columns, such as arrival_s=ts,prompt_tokens=in,output_tokens=out.
    drop_oversize : leave out requests that can never fit.
    weights : a column of the table: the total is then that of weight times latency. Whole numbers of at least 1.
    objective : latency, the total, or makespan, the round in which the last request finishes.
    method : auto; or with the extra optimum order, the order-based model in CP-SAT, or lp, the time-indexed linear
        program in HiGHS.
    seed : of the local search and of a built-in workload.
    as_json : one JSON object on stdout.
    """
    if worst is not None:
        from ..bounds.adversary import Search

        size, like = 20 if capacity is None else capacity, None
        if trace is not None:
            like, size = _fitting(trace, capacity, drop_oversize, seed=seed, columns=columns)
        search = Search(6 if requests is None else requests, size, horizon, equal_prompts, tries, seed, like)
        _worst(worst, search, predictor, time_limit, out, as_json)
        return
    if trace is None:
        raise InputError("give a trace, or --worst POLICY")
    from ..bounds import solve
    from ..report.output import check_output

    if out is not None:
        check_output(out, "picture")
    found, limit = _fitting(trace, capacity, drop_oversize, requests=requests, rate=rate, seed=seed, columns=columns)
    shown = _progress if sys.stderr.isatty() and not as_json else None
    answer = solve.bound(
        found,
        limit,
        time_limit,
        rounds_per_s=rounds_per_s,
        weights=None if weights is None else _weights(found, weights),
        objective=objective,
        method=method,
        seed=seed,
        tell=shown,
    )
    what = "weighted latency" if weights is not None else f"{'total ' if objective == 'latency' else ''}{objective}"
    print(json.dumps(answer.as_dict()) if as_json else _text(answer, what))
    if out is not None:
        _draw(out, solve.problem_of(found, limit, rounds_per_s), answer)


def _fitting(trace: str, capacity: int | None, drop: bool, *, seed: int, **asked: Any) -> tuple[Trace, int]:
    """The trace's requests that can ever fit, and the capacity."""
    from ..experiment.setting import capacity_for
    from .source import load

    limit = capacity_for(trace, capacity, seed)
    found, dropped = load(trace, seed=seed, **asked).fitting(limit, drop=drop)
    if dropped:
        print(f"left out {dropped} requests that can never fit", file=sys.stderr)
    return found, limit


def _worst(policy: str, search: Search, predictor: str, time_limit: float, out: Path | None, as_json: bool) -> None:
    from ..bounds.worst import find_worst

    found = find_worst(policy, search, predictor=predictor, time_limit=time_limit)
    if out is not None:
        from ..formats import write_trace

        write_trace(found.worst.trace, out)
    answer = found.to_json()
    if as_json:
        print(json.dumps(answer))
        return
    print(f"worst of {answer['tried']} instances for {policy}, capacity {answer['capacity_tokens']} tokens:")
    for row in answer["requests"]:
        print(f"  arrival {row['arrival']:g}, prompt {row['prompt']}, output {row['output']}")
    low, high = answer["ratio_at_least"], answer["ratio_at_most"]
    ratio = f"{low:.4f}" if low == high else f"between {low:.4f} and {high:.4f}"
    print(f"total latency {answer['total']:g}, {ratio} times the optimum")


def _draw(out: Path, problem: Problem, found: Interval) -> None:
    """The best schedule as the rounds host replays it."""
    from ..bounds.replay import replayed
    from ..experiment.run import Run
    from ..report.output import write_output

    trace, host, result = replayed(problem, found.starts)
    run = Run(trace.name, len(trace), "best known", "exact", "rounds", None, 0, host, result, None)
    write_output(out, "picture", trace, [run])


def _weights(trace: Trace, column: str) -> npt.NDArray[np.generic]:
    """A further column of the table, as numbers; whether they will do as weights is for the bound to say."""
    if column not in trace.more:
        had = ", ".join(trace.more) or "no further columns"
        raise InputError(f"--weights: {trace.name} has no column {column!r} beside lengths and times; it has {had}")
    values = trace.more[column]
    if values.dtype.kind not in "iuf":
        raise InputError(f"--weights: column {column!r} of {trace.name} does not hold numbers throughout")
    return values


def _progress(known: Interval) -> None:
    print(f"{known.seconds:6.1f} s  [{known.lower}, {known.upper}]  {known.method}", file=sys.stderr)


def _text(found: Interval, what: str) -> str:
    n = max(1, len(found.starts))
    verdict = "proved optimal" if found.proved else f"gap {found.gap:.2%}"
    lines = [f"{what:16}  {found.lower} ... {found.upper} rounds, {verdict}"]
    if what == "total latency":
        lines.append(f"mean latency      {found.lower / n:.2f} ... {found.upper / n:.2f} rounds")
    lines.append(f"lower end by      {found.method}, {found.nodes} nodes, {found.seconds:.1f} s")
    lines.append("holds also        with requests killed and restarted, or paused")
    return "\n".join(lines)
