"""``run --watch``: the memory picture in the terminal, on stderr, while a run goes on and when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..host.result import Floats, Result
from ..progress import Progress
from ..report.picture import class_names
from ..report.terminal import columns, memory_columns, sampled_columns

HEIGHT = 14
_COLOURS = ("#2c6fa6", "#64a5c9", "#a9d2e2", "#f3e2a9", "#f2b35e", "#df7236", "#ad2c1c")


@contextmanager
def watching_memory(capacity: int) -> Generator[Callable[[str, int, int], Progress]]:
    """Draw the memory of a run as it goes on; where stderr is no terminal, nothing until it is done."""
    console = Console(stderr=True)
    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield lambda policy, _done, _total: _watch(policy, capacity, live)


def _watch(policy: str, capacity: int, live: Live) -> Progress:
    times: list[float] = []
    used: list[float] = []
    began = time.monotonic()

    def show(done: int, total: int, now: float, held: float) -> None:
        times.append(now)
        used.append(held)
        rate = done / max(time.monotonic() - began, 1e-9)
        title = f"{policy}: {done:,} of {total:,} requests, {rate:,.0f}/s"
        parts = sampled_columns(times, used, _width(live.console))
        live.update(_drawn(title, parts, capacity, f"{times[0]:,.0f}", f"{now:,.0f}"), refresh=live.console.is_terminal)

    return Progress(show, every_s=0.1, memory=True)


def show_memory(policy: str, result: Result) -> None:
    """The whole run's memory picture, coloured by the wait of the requests."""
    console = Console(stderr=True)
    parts, scale = memory_columns(result, _width(console))
    last = result.finish[~(result.finish != result.finish)]
    ends = f"{result.arrival.min():,.0f}", f"{last.max() if len(last) else 0:,.0f} {result.unit}"
    console.print(_drawn(f"{policy}: memory, by {scale.label} ({scale.unit})", parts, result.capacity, *ends))
    legend = Text(" " * 9)
    for colour, name in zip(_COLOURS, class_names(scale), strict=True):
        legend.append("█ ", colour).append(f"{name}  ")
    console.print(legend)


def _width(console: Console) -> int:
    return max(20, min(120, console.width - 12))


def _drawn(title: str, parts: Floats, capacity: int, start: str, stop: str) -> Text:
    width = parts.shape[1]
    out = Text(f"{title}\n", no_wrap=True)
    out.append(f"{capacity:>8,} ").append("━" * width + "\n", "bold")
    for row, cells in enumerate(columns(parts, capacity, HEIGHT)):
        label = f"{capacity // 2:,}" if row == HEIGHT // 2 - 1 else ""
        out.append(f"{label:>8} ")
        for block, kind in cells:
            out.append(block, _COLOURS[kind] if kind >= 0 else "")
        out.append("\n")
    return out.append(f"{'0':>8} {start}{stop:>{max(1, width - len(start))}}")
