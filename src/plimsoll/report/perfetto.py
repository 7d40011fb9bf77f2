"""A run as a trace for a viewer (https://ui.perfetto.dev, chrome://tracing): the Chrome trace event format, JSON.

One process for each run; in it one track for each request, with its waits and its stays in memory as slices and its
evictions as instants, and counters for the memory held and the requests waiting and running.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from .curve import Wedges
from .panels import Seen

MICROSECONDS = {"rounds": 1_000.0, "s": 1_000_000.0}
"""Microseconds of the viewer's clock for a round, which is shown as a millisecond, and for a second."""


def write_viewer_trace(path: Path, seen: Sequence[Seen]) -> None:
    """Write runs for a trace viewer; an existing file is replaced, or left alone when writing fails."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write('{"displayTimeUnit": "ms", "traceEvents": [\n')
        first = True
        for pid, s in enumerate(seen, start=1):
            for event in events(s, pid):
                file.write(("" if first else ",\n") + json.dumps(event, ensure_ascii=False, allow_nan=False))
                first = False
        file.write("\n]}\n")


def events(s: Seen, pid: int) -> Iterator[dict[str, Any]]:
    """The events of one run. Times are microseconds of the viewer's clock."""
    scale = MICROSECONDS[s.result.unit]
    yield {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": s.label}}
    yield {"ph": "M", "name": "process_sort_index", "pid": pid, "args": {"sort_index": pid}}
    yield from _tracks(s, pid, scale)
    yield from _counters(s, pid, scale)


def _tracks(s: Seen, pid: int, scale: float) -> Iterator[dict[str, Any]]:
    w, result = s.wedges, s.result
    order = np.lexsort((w.start, w.id))
    begins = np.searchsorted(w.id[order], np.arange(len(result) + 1))
    for i in range(len(result)):
        tid = i + 1
        yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": f"request {i}"}}
        since = float(result.arrival[i])
        for k in order[begins[i] : begins[i + 1]]:
            if w.start[k] > since:
                yield _slice("waiting", pid, tid, scale, (since, float(w.start[k])), {})
            since = float(w.stop[k])
            yield _slice("running", pid, tid, scale, (float(w.start[k]), since), _facts(s, i, int(k)))
            if w.evicted[k]:
                yield {"ph": "i", "s": "t", "name": "evict", "pid": pid, "tid": tid, "ts": round(since * scale, 3)}


def _slice(
    name: str, pid: int, tid: int, scale: float, between: tuple[float, float], args: dict[str, Any]
) -> dict[str, Any]:
    start, stop = (round(t * scale, 3) for t in between)  # a viewer counts nanoseconds
    return {
        "ph": "X",
        "name": name,
        "cat": "request",
        "pid": pid,
        "tid": tid,
        "ts": start,
        "dur": round(stop - start, 3),
        "args": args,
    }


def _facts(s: Seen, i: int, k: int) -> dict[str, Any]:
    w, result = s.wedges, s.result
    return {
        "prompt": int(result.prompt[i]),
        "output": int(result.output[i]),
        "predicted": float(result.predicted[i]) if np.isfinite(result.predicted[i]) else None,
        "kept": int(w.kept[k]),
        "held_at_end": int(w.held[k] + w.grown[k]),
    }


def _counters(s: Seen, pid: int, scale: float) -> Iterator[dict[str, Any]]:
    """Memory and running requests. A viewer draws counters as steps: each stretch between two events is told by its
    first level and, from one round (or a quarter of the stretch) before its end, by its last, which is its peak."""
    w: Wedges = s.wedges
    times = np.unique(np.concatenate([w.start, w.stop]))
    begin, end = times[:-1], times[1:]
    width = np.minimum(1.0, end - begin) if s.result.unit == "rounds" else (end - begin) / 4
    first = s.line.at(begin + width) if s.result.unit == "rounds" else s.line.at(np.nextafter(begin, np.inf))
    rows = zip(begin, end - width, first, s.line.at(end), s.line.count(end), strict=True)
    for t, late, low, high, count in rows:
        yield _counter("running", pid, t * scale, {"requests": int(count)})
        yield _counter("KV cache", pid, t * scale, {"tokens": round(float(low))})
        if late > t:
            yield _counter("KV cache", pid, late * scale, {"tokens": round(float(high))})
    if len(times):
        yield _counter("running", pid, times[-1] * scale, {"requests": 0})
        yield _counter("KV cache", pid, times[-1] * scale, {"tokens": 0})


def _counter(name: str, pid: int, at: float, values: dict[str, int]) -> dict[str, Any]:
    return {"ph": "C", "name": name, "pid": pid, "ts": at, "args": values}
