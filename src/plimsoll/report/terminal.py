"""The same pictures in characters: sparklines, and the memory picture as columns of blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..host.result import Floats, Result
from .curve import Line, first_start, peaks, span, stacked, waiting, wedges
from .picture import CLASSES, Scale, wait_scale

BLOCKS = " ▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float] | Floats, most: float) -> str:
    """A row of bars, each an eighth to eight eighths of ``most`` high; nothing at all is a space."""
    share = np.asarray(values, dtype=np.float64) / max(most, 1e-12)
    eighths = np.where(share > 0, np.clip(np.ceil(8 * share - 1e-9), 1, 8), 0).astype(int)
    return "".join(BLOCKS[k] for k in eighths)


def queue_sparklines(results: Sequence[Result], width: int = 20) -> list[str]:
    """The queue of each run over the time that all of them take, on one scale."""
    spans = [span(r) for r in results]
    edges = np.linspace(min(a for a, _ in spans), max(b for _, b in spans), width + 1)
    queues = [waiting(r, wedges(r), edges) for r in results]
    most = max(float(q.max()) for q in queues)
    return [sparkline(q, most) for q in queues]


def columns(parts: Floats, top: float, height: int) -> list[list[tuple[str, int]]]:
    """A stack of classes as rows of characters, the highest row first.

    Parameters
    ----------
    parts : shape (classes, width), tokens from the bottom up.
    top : tokens at the upper end of the highest row.

    Returns
    -------
    height rows of (character, class); an empty cell has class -1.
    """
    sums = np.cumsum(parts, axis=0)
    rows: list[list[tuple[str, int]]] = []
    for row in range(height - 1, -1, -1):
        low, step = row * top / height, top / height
        full = np.clip(np.ceil(8 * (sums[-1] - low) / step - 1e-9), 0, 8).astype(int)
        middle = np.minimum(low + step / 2, (low + sums[-1]) / 2)
        kind = np.minimum((sums < middle).sum(axis=0), len(parts) - 1)
        rows.append([(BLOCKS[f], int(k) if f else -1) for f, k in zip(full, kind, strict=True)])
    return rows


def memory_columns(result: Result, width: int) -> tuple[Floats, Scale]:
    """The memory of a run in ``width`` columns, each at its fullest moment, split by wait.

    Returns
    -------
    parts, shape (7, width), tokens; and the scale of the waits.
    """
    w = wedges(result)
    wait = first_start(result, w) - result.arrival
    of = wait_scale(result.unit, wait)
    moment, _ = peaks(Line.of(w), np.linspace(*span(result), width + 1))
    return stacked(w, of.of(wait), CLASSES, moment), of


def sampled_columns(times: Sequence[float], used: Sequence[float], width: int) -> Floats:
    """What was seen of a run that still goes on, in ``width`` columns; shape (1, width), the largest seen in each.

    A column in which nothing was seen shows what was seen before it.
    """
    at, seen = np.asarray(times, dtype=np.float64), np.asarray(used, dtype=np.float64)
    place = np.floor((at - at[0]) / max(at[-1] - at[0], 1e-12) * width).astype(int).clip(0, width - 1)
    out = np.full(width, -1.0)
    np.maximum.at(out, place, seen)
    known = np.maximum.accumulate(np.where(out >= 0, np.arange(width), 0))
    return out[known][None, :]
