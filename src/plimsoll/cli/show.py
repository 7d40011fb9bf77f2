"""Tables and progress in the terminal."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from ..progress import Progress

if TYPE_CHECKING:
    from ..experiment.attainment import Attained
    from ..experiment.capacity import Edge, Fitting, Search
    from ..experiment.check import Compared
    from ..experiment.confidence import Interval
    from ..experiment.goodput import Slo
    from ..experiment.grid import Grid
    from ..experiment.run import Run
    from ..experiment.sweep import Swept
    from ..reproduce.lab import Table as Shown
    from ..simulation import Host
    from ..trace import Trace

_WIDE = 115  # columns of a terminal that has room for the sparklines
_PATIENCE_S = 2.0  # a bar is shown for what takes longer
_CLIENTS = 10  # shown one by one, those with the most requests


@contextmanager
def watching() -> Generator[Callable[[str, int, int], Progress | None]]:
    """A progress bar on stderr, with rate and time left, for anything that takes over two seconds."""
    if not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    bars = Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    task = bars.add_task("preparing; the first run compiles", total=None, rate="")
    patience = Timer(_PATIENCE_S, bars.start)
    patience.start()

    def watch(name: str, done: int, total: int) -> Progress:
        since = time.monotonic()

        def show(finished: int, all_of_them: int) -> None:
            rate = f"{finished / max(time.monotonic() - since, 1e-9):,.0f}/s"
            label = f"{name} ({done + 1} of {total})" if total > 1 else name
            bars.update(task, description=label, completed=finished, total=all_of_them, rate=rate)

        return Progress(show)

    try:
        yield watch
    finally:
        patience.cancel()
        bars.stop()


@contextmanager
def counting(what: str) -> Generator[Callable[[int, int], None]]:
    """A progress bar on stderr for things that finish one by one, in a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _console() -> Console:
    """Standard output; wide enough for a whole table where it is not a terminal."""
    return Console() if sys.stdout.isatty() else Console(width=140)


def show_comparison(trace: Trace, host: Host, runs: list[Run], slo: Slo | None = None) -> None:
    """The ranked table, with what the load and the distances mean."""
    from ..description import reading
    from ..metrics import per_million_tokens
    from ..report.terminal import queue_sparklines

    unit = host.unit
    certified = any(r.ratio is not None for r in runs)
    several = len({r.predictor for r in runs}) > 1
    title = f"{trace.name}: {len(trace):,} requests, {host.capacity:,} KV tokens, latency in {unit}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("policy", no_wrap=True)
    if several:
        table.add_column("predictor", no_wrap=True)
    for heading in ("mean", "p50", "p99", f"tokens/{unit.removesuffix('s') or unit}", "evictions", "peak"):
        table.add_column(heading, justify="right", no_wrap=True)
    if certified:
        table.add_column("× bound", justify="right", no_wrap=True)
    if slo is not None:
        table.add_column("good", justify="right", no_wrap=True)
    prices = [per_million_tokens(r.result).get("cost_usd_per_million_tokens", math.nan) for r in runs]
    priced = not all(map(math.isnan, prices))
    if priced:
        table.add_column("$/1M tokens", justify="right", no_wrap=True)
    out = _console()
    queues: list[str] = []
    if out.width >= _WIDE:
        table.add_column("waiting over time", no_wrap=True)
        queues = queue_sparklines([r.result for r in runs])
    for at, r in enumerate(runs):
        cells = _cells(r, certified)
        cells += [] if slo is None else [f"{slo.limits.share(r.result):.1%}"]
        cells += [_number(prices[at])] if priced else []
        table.add_row(r.policy, *([r.predictor] if several else []), *cells, *queues[at : at + 1])
    out.print(table)
    if certified:
        out.print("× bound: total latency over a certified lower bound; no schedule whatever comes below 1.")
    if slo is not None:
        out.print(f"good: the share of requests with {slo.limits.words(unit)}")
    show_basis(host.basis)
    if runs[0].load is not None and (unit == "rounds" or runs[0].load > 1):
        out.print(reading(runs[0].load))
    for r in runs:
        if r.result.status != "ok":
            out.print(f"{r.policy}: {r.result.status}, {r.result.reason} ({r.result.completed:,} completed)")
    if runs and runs[0].result.rejected:
        out.print(f"{runs[0].result.rejected:,} requests that can never fit were left out")


def show_basis(basis: str | None) -> None:
    """What the seconds stand on, where they are seconds."""
    if basis is not None:
        _console().print(f"step times: {basis}", markup=False, highlight=False)


def show_attainment(attained: list[Attained], unit: str) -> None:
    """The share of requests within the limits, a column for each arrival rate; nothing where none was asked for."""
    if not attained:
        return
    several = len({a.predictor for a in attained}) > 1
    told = attained[0].limits.words(unit)
    out = _console()
    out.print(f"\nshare of requests with {told}, by arrival rate; this trace's is {attained[0].own:.3g}/s")
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("policy", *(["predictor"] if several else [])):
        table.add_column(heading, no_wrap=True)
    for rate in attained[0].rates:
        table.add_column(f"{rate:g}/s", justify="right", no_wrap=True)
    for a in attained:
        table.add_row(a.policy, *([a.predictor] if several else []), *(f"{share:.1%}" for share in a.share))
    out.print(table)


def _cells(run: Run, certified: bool) -> list[str]:
    told = run.to_json()
    if run.result.status != "ok":
        return ["unstable", *["–"] * 3, f"{told['evictions']:,}", f"{told['peak_tokens']:,}", *(["–"] * certified)]
    latency = told["latency"]
    cells = [_number(latency[name]) for name in ("mean", "p50", "p99")]
    cells += [_number(told["output_tokens_per_unit"]), f"{told['evictions']:,}", f"{told['peak_tokens']:,}"]
    return cells + ([f"{run.ratio:.2f}" if run.ratio is not None else "–"] if certified else [])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.1f}"


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{k} {_told(v)}" for k, v in value.items() if v is not None)  # pyright: ignore
    if isinstance(value, int):
        return f"{value:,}"
    return _number(value) if isinstance(value, float) else str(value)


def show_run(run: Run, slo: Slo | None = None) -> None:
    """Every figure of one run, a line each, and what of a promise it kept."""
    table = Table(show_header=False, box=None)
    told = run.to_json()
    del told["schema"]
    clients = told.pop("clients", {})
    for name, value in told.items():
        if value is not None:
            table.add_row(name, _told(value))
    largest = sorted(clients, key=lambda client: -clients[client]["requests"])
    for client in largest[:_CLIENTS]:
        table.add_row(f"client {client}", _told(clients[client]))
    if len(largest) > _CLIENTS:
        table.add_row("further clients", f"{len(largest) - _CLIENTS:,}; --json has them all")
    out = _console()
    out.print(table)
    if slo is not None:
        told = slo.to_json(run.result)
        rate = f"{_number(told['goodput'])} per {run.result.unit.removesuffix('s') or 's'}"
        out.print(f"goodput {rate}: {told['good']:,} requests ({told['share']:.1%}) with {told['limits']}")
        for o in told["objectives"]:
            out.print(f"{'keeps' if o['met'] else 'MISSES'} {o['objective']}: {_number(o['value'] or math.inf)}")


def show_check(rows: list[Compared]) -> None:
    """Engine and simulation, figure by figure."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for heading in ("engine", "simulated", "difference"):
        table.add_column(heading, justify="right")
    for row in rows:
        off = "–" if row.difference is None else f"{row.difference:+.1%}"
        table.add_row(row.name, _number(row.engine), _number(row.simulated), off)
    _console().print(table)


def show_sweep(grid: Grid, swept: Swept, out: Path) -> None:
    """The mean over seeds of what each combination of a grid came to, and what went wrong."""
    varied = [name for name in grid.varied if name != "seed"] or ["trace", "policy"]
    table = Table(box=box.SIMPLE_HEAD)
    for name in varied:
        table.add_column(name)
    figures = ("latency_mean", "latency_p99", "output_tokens_per_unit", "evictions")
    for name in ("mean latency", "p99", "tokens/unit", "evictions", "runs"):
        table.add_column(name, justify="right")
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in swept.rows:
        groups.setdefault(tuple(str(row.get(name, "–")) for name in varied), []).append(row)
    for words, rows in groups.items():
        good = [row for row in rows if row["status"] == "ok"]
        means = [_number(sum(row[name] for row in good) / len(good)) if good else "–" for name in figures]
        table.add_row(*words, *means, f"{len(good)}" if len(good) == len(rows) else f"{len(good)} of {len(rows)}")
    show = _console().print
    show(table)
    show(f"{swept.ran:,} runs now, {swept.kept:,} before; all in {out}")
    for reason in sorted({row["reason"] for row in swept.bad}):
        show(f"{sum(row['reason'] == reason for row in swept.bad)} of {len(grid):,} could not be run: {reason}")
    if swept.lost:
        show(f"{len(swept.lost)} were given up because their worker died again and again; the next sweep tries them")


def show_edges(search: Search, edges: list[Edge], fluid: float) -> None:
    """What each policy bears, and the frontier: the objectives' values at common points."""
    axis, show = search.axis, _console().print
    slo = " and ".join(str(o) for o in search.objectives)
    word = "highest rate" if axis.harder else f"least {axis.name}"
    title = f"{search.setting.trace}: {word} that keeps {slo}; {search.replications} replications, 95 % intervals"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("policy")
    for name in (axis.unit, "95 %", "× fluid", "× best, 95 %", "$/M tokens", "kJ/M tokens"):
        table.add_column(name, justify="right", no_wrap=True)
    for edge in edges:
        value, over, energy = edge.value, edge.over(edges[0]), edge.spent("energy_j")
        bounded = math.isfinite(value.mean)
        most = _number(value.mean) if bounded else "none" if math.isnan(value.mean) else "any"
        table.add_row(
            edge.policy, most, _ends(value), f"{value.mean / fluid:.2f}" if bounded else "–",
            "–" if edge is edges[0] else _ends(over), _or_dash(edge.spent("cost_usd")),
            _or_dash(None if energy is None else energy / 1e3),
        )  # fmt: skip
    show(table)
    frontier = Table(title="frontier: " + slo, title_justify="left", box=box.SIMPLE_HEAD)
    for name in (axis.unit, "policy", "kept in", *(f"{o.statistic}_{o.figure}" for o in search.objectives)):
        frontier.add_column(name, justify="left" if name == "policy" else "right")
    common = set.intersection(*({at for at, _, _ in edge.frontier()} for edge in edges))
    for at in sorted(common):
        for edge in edges:
            kept, values = next(row[1:] for row in edge.frontier() if row[0] == at)
            frontier.add_row(_number(at), edge.policy, f"{kept:.0%}", *map(_number, values))
    show(frontier)
    show(f"the fluid is stable {'up to' if axis.harder else 'from'} {_number(fluid)} {axis.unit}")
    show_basis(search.basis)
    for edge in edges:
        if math.inf in edge.edges:
            show(f"{edge.policy} keeps them at every rate tried, up to {_number(max(edge.tried)[0])} {axis.unit}: a "
                 "trace of so few requests ends before it misses")  # fmt: skip
        if edge.broken:
            show(f"{edge.policy} is not monotone: it misses at {_number(edge.broken[0][0])} and keeps beyond; its edge "
                 "is the last value up to which all that was tried kept")  # fmt: skip


def show_gpus(search: Search, fitting: dict[str, list[Fitting]]) -> None:
    """Which GPUs keep the objectives, and at what cost."""
    slo = [f"{o.statistic}_{o.figure}" for o in search.objectives]
    title = f"{search.setting.trace}: {search.setting.model}, " + " and ".join(str(o) for o in search.objectives)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    words = ("policy", "GPU", "step times")
    for name in ("policy", "GPU", "keeps", *slo, "$/M tokens", "kJ/M tokens", "step times"):
        table.add_column(name, justify="left" if name in words else "right", no_wrap=True)
    for policy, found in fitting.items():
        for one in found:
            means = [sum(column) / len(column) for column in zip(*(t.values for t in one.tried), strict=True)]
            spent = [[getattr(t, name) for t in one.tried] for name in ("cost_usd", "energy_j")]
            cells = [_or_dash(None if None in s or not s else sum(s) / len(s)) for s in (spent[0], spent[1])]
            if one.tried and None not in spent[1]:
                cells[1] = _number(sum(spent[1]) / len(spent[1]) / 1e3)
            keeps = _kept(one)
            cells.append("–" if one.basis is None else "measured" if ", fitted: " in one.basis else "datasheet")
            table.add_row(policy, one.gpu, keeps, *(map(_number, means) if means else ["–"] * len(slo)), *cells)
    show = _console().print
    show(table)
    for policy, found in fitting.items():
        if not any(one.met for one in found):
            show(f"no GPU of the table keeps them with {policy}")


def _kept(one: Fitting) -> str:
    if not one.tried:
        return "the model does not fit"
    kept = sum(t.met for t in one.tried)
    return "yes" if one.met else f"{kept} of {len(one.tried)}" if kept else "no"


def _ends(value: Interval) -> str:
    return f"{_number(value.low)} … {_number(value.high)}" if math.isfinite(value.low) else "–"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else _number(value)


def show_policies(entries: list[dict[str, Any]]) -> None:
    """The catalogue as a table."""
    table = Table()
    for heading in ("policy", "what it does", "knows", "guarantee", "source"):
        table.add_column(heading, no_wrap=heading == "policy")
    for entry in entries:
        given = [f"  {name}={value:g}" for name, value in entry["parameters"].items()]
        told = (entry[column] for column in ("summary", "uses", "guarantee", "source"))
        table.add_row("\n".join([entry["name"], *given]), *told)
    _console().print(table)


def show_table(made: Shown) -> None:
    """A table of an experiment."""
    table = Table(title=made.title, title_justify="left", box=box.SIMPLE_HEAD)
    for at, heading in enumerate(made.columns):
        table.add_column(heading, justify="right" if at and not _words(made, at) else "left")
    for row in made.rows:
        table.add_row(*("–" if v is None else v if isinstance(v, str) else _number(v) for v in row))
    _console().print(table)


def _words(made: Shown, column: int) -> bool:
    return any(isinstance(row[column], str) for row in made.rows)


def show_claims(rows: list[dict[str, Any]]) -> None:
    """Every claim with what was published, what was measured and the verdict."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("", "claim", "published", "ours", "verdict"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        note = f"\n[dim]{escape(row['note'])}[/]" if row["note"] else ""
        ours = escape(row["ours"]) or "–"
        table.add_row(str(row["id"]), escape(row["claim"]), escape(row["published"]), ours + note, row["verdict"])
    out = _console()
    out.print(table)
    counts = Counter(row["verdict"] for row in rows)
    out.print(f"{len(rows)} claims: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))
