"""Draws the pictures of docs/model.md. Run as ``python docs/pictures.py`` (needs the extra ``plot``).

Every picture is a run of plimsoll on a handful of requests, drawn round by round.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from plimsoll import Trace, rounds, simulate
from plimsoll.host.result import Result
from plimsoll.report.curve import Wedges, wedges
from plimsoll.report.figure import COLOURS, save

IMAGES = Path(__file__).parent / "images"
STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none",
         "svg.hashsalt": "plimsoll", "axes.titlesize": 9, "axes.titlelocation": "left"}  # fmt: skip
FIVE = [(0, 12, 6), (0, 2, 6), (0, 2, 8), (0, 3, 4), (0, 6, 3)]
"""Arrival, prompt and output of five requests."""
CAPACITY = 24


def charges(stays: Wedges) -> Any:
    """Tokens that each stay in memory holds in each round, shape (stays, rounds); round 1 is column 0."""
    now = np.arange(1, int(stays.stop.max()) + 1)
    start, stop = stays.start[:, None], stays.stop[:, None]
    return np.where((now > start) & (now <= stop), stays.held[:, None] + now - start, 0)


def bands(axes: Any, stays: Wedges) -> None:
    """One stay on top of the other, a column for each round; what an eviction takes back is hatched."""
    held = charges(stays)
    floor = np.zeros(held.shape[1])
    for row, i, lost in zip(held, stays.id, stays.evicted, strict=True):
        on = np.flatnonzero(row)
        look = {"hatch": "////", "alpha": 0.45} if lost else {"alpha": 0.9}
        axes.bar(on, row[on], 1.0, floor[on], align="edge", color=COLOURS[i], edgecolor="white", linewidth=0.7, **look)
        middle = on[len(on) // 2]
        axes.text(middle + 0.5, floor[middle] + row[middle] / 2, "ABCDEFGH"[i], ha="center", va="center", color="white",
                  weight="bold")  # fmt: skip
        floor += row


def capacity_line(axes: Any, capacity: int, longest: float) -> None:
    """The line that nobody crosses, and whole numbers beside the axes."""
    axes.axhline(capacity, color="black", linewidth=1.2)
    axes.text(longest, capacity * 1.02, f"capacity M = {capacity}", ha="right", va="bottom")
    axes.set(xlim=(0, longest), ylim=(0, 1.15 * capacity), xlabel="rounds")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def one_request() -> Figure:
    """A request of 4 prompt and 6 output tokens: its volume is what it holds, added up."""
    figure = Figure(figsize=(4.6, 2.6), layout="constrained")
    axes = figure.add_subplot()
    held = np.arange(5, 11)
    axes.bar(np.arange(6), np.full(6, 4), 1.0, align="edge", color=COLOURS[0], edgecolor="white")
    axes.bar(np.arange(6), held - 4, 1.0, 4, align="edge", color=COLOURS[5], edgecolor="white")
    for k, tokens in enumerate(held):
        axes.text(k + 0.5, tokens + 0.2, str(tokens), ha="center", va="bottom")
    axes.text(3, 2, "prompt: 4 tokens, 6 rounds", ha="center", va="center", color="white")
    axes.text(4.2, 5.2, "output: one more each round", ha="center", va="center", color="white", fontsize=8)
    axes.set(xlim=(0, 6), ylim=(0, 12), xlabel="rounds", ylabel="tokens held")
    axes.set_title("volume = 5 + 6 + 7 + 8 + 9 + 10 = 45 token-rounds")
    return figure


def beside(results: Sequence[tuple[str, Result]], capacity: int, size: tuple[float, float]) -> Figure:
    """The same requests under several policies, on the same scales."""
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
    longest = max(float(result.finish.max()) for _, result in results)
    for axes, (title, result) in zip(panels, results, strict=True):
        bands(axes, wedges(result))
        capacity_line(axes, capacity, longest)
        axes.set_title(title)
    panels[0].set_ylabel("tokens held")
    return figure


def two_orders() -> Figure:
    """Five requests with the same look-ahead, in order of arrival and smallest volume first."""
    trace, host = Trace.of(FIVE), rounds(capacity=CAPACITY, rounds_per_s=1)
    runs = [(policy, simulate(trace, policy, host)) for policy in ("mc-benchmark", "svf")]
    names = {"mc-benchmark": "in order of arrival", "svf": "smallest volume first"}
    titled = [(f"{names[name]}: mean latency {run.latency.mean():.1f} rounds", run) for name, run in runs]
    return beside(titled, CAPACITY, (7.2, 2.9))


def look_ahead() -> Figure:
    """Why a policy looks ahead: what fits now need not fit later, and then somebody loses everything."""
    trace, host = Trace.of([(0, 2, 8), (0, 3, 8), (0, 4, 8)]), rounds(capacity=CAPACITY, rounds_per_s=1)
    greedy, careful = (simulate(trace, policy, host) for policy in ("fcfs", "mc-benchmark"))
    titled = [
        (f"fits now (fcfs): C is evicted and starts again, {int(greedy.evictions.sum())} times", greedy),
        ("fits to the end (mc-benchmark): no eviction", careful),
    ]
    return beside(titled, CAPACITY, (7.2, 2.9))


def pipeline() -> Figure:
    """Sixteen equal requests: started together, and as a staggered pipeline."""
    trace, capacity = Trace.of([(0, 2, 12)] * 16), 60
    host = rounds(capacity=capacity, rounds_per_s=1)
    runs = [
        (name, simulate(trace, policy, host)) for name, policy in (("together", "mc-benchmark"), ("staggered", "gba"))
    ]
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    longest = max(result.finish.max() for _, result in runs)
    for axes, (title, result) in zip(panels, runs, strict=True):
        axes.stairs(charges(wedges(result)).sum(axis=0), fill=True, color=COLOURS[0], alpha=0.9)
        capacity_line(axes, capacity, longest)
        axes.set_title(f"started {title}: all done after {int(result.finish.max())} rounds")
    panels[0].set_ylabel("tokens held")
    return figure


if __name__ == "__main__":
    with matplotlib.rc_context(STYLE):
        for draw in (one_request, two_orders, look_ahead, pipeline):
            save(draw(), IMAGES / f"model-{draw.__name__.replace('_', '-')}.svg")
