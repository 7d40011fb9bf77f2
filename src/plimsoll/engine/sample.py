"""A trace from a running engine's metrics, where no log can be had: lengths as its histograms tell them."""

from __future__ import annotations

import math
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..trace import Trace

_SAMPLE = re.compile(r"^vllm:(\w+?)_(bucket|sum|count)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_BOUND = re.compile(r'le="([^"]+)"')
_PROMPT, _OUTPUT, _LATENCY = "request_prompt_tokens", "request_generation_tokens", "e2e_request_latency_seconds"


class Histogram(NamedTuple):
    """A Prometheus histogram: cumulative counts by upper bound, and the sum of what was observed."""

    buckets: dict[float, float]
    total: float

    @property
    def observed(self) -> float:
        """How many were observed."""
        return max(self.buckets.values(), default=0.0)


def parse(text: str) -> dict[str, Histogram]:
    """The histograms of vLLM's metrics page, added up over engines."""
    buckets: dict[str, dict[float, float]] = {}
    totals: dict[str, float] = {}
    for name, kind, labels, value in _SAMPLE.findall(text):
        if kind == "sum":
            totals[name] = totals.get(name, 0.0) + float(value)
        elif kind == "bucket" and (bound := _BOUND.search(labels)):
            row = buckets.setdefault(name, {})
            row[float(bound[1])] = row.get(float(bound[1]), 0.0) + float(value)
    return {name: Histogram(row, totals.get(name, 0.0)) for name, row in buckets.items()}


def lengths(before: Histogram, after: Histogram) -> npt.NDArray[np.int64]:
    """The lengths observed in between: exact if it was one, else bucket by bucket, scaled to the exact sum.

    Examples
    --------
    >>> lengths(Histogram({10.0: 0, 20.0: 0}, 0), Histogram({10.0: 1, 20.0: 2}, 21)).tolist()
    [5, 16]
    """
    bounds = sorted(after.buckets)
    new = np.diff([after.buckets[bound] - before.buckets.get(bound, 0.0) for bound in bounds], prepend=0.0)
    edges = [0.0, *bounds]
    if edges[-1] == np.inf:
        edges[-1] = 2 * edges[-2]
    middles = (np.array(edges[:-1]) + np.array(edges[1:])) / 2
    guessed = np.repeat(middles, np.maximum(new, 0).astype(int))
    total = after.total - before.total
    scaled = guessed * (total / guessed.sum()) if len(guessed) and guessed.sum() > 0 else guessed
    return np.maximum(1, np.rint(scaled)).astype(np.int64)


def sample(url: str, seconds: float, every: float = 1.0, wait: Callable[[float], None] = time.sleep) -> Trace:
    """Look at the metrics of vLLM now and then, and make a trace of the requests that finished meanwhile.

    Which prompt went with which output is unknown where several finished between two looks, and arrivals are
    set back from the finish by the mean latency of that moment: good for lengths and rates, not for single requests.

    Parameters
    ----------
    url : of the metrics page.
    seconds : how long to look.
    every : seconds between two looks.

    Raises
    ------
    InputError
        If the page cannot be read or is not vLLM's, or nothing finished, or ``seconds`` is not above 0.
    """
    if not 0 < seconds < math.inf:
        raise InputError(f"--seconds must be above 0, not {seconds:g}")
    began = time.monotonic()
    last, rows = _look(url), []
    while time.monotonic() - began < seconds:
        wait(every)
        now, at = _look(url), time.monotonic() - began
        prompts, outputs = (lengths(last[name], now[name]) for name in (_PROMPT, _OUTPUT))
        done = now[_LATENCY].observed - last[_LATENCY].observed
        latency = (now[_LATENCY].total - last[_LATENCY].total) / done if done > 0 else 0.0
        rows += [(at - latency, int(s), int(o)) for s, o in zip(prompts, outputs, strict=False)]
        last = now
    if not rows:
        raise InputError(f"{url}: no request finished in {seconds:g} s")
    rows.sort()
    return Trace.of([(arrival - rows[0][0], s, o) for arrival, s, o in rows], "metrics")


def _look(url: str) -> dict[str, Histogram]:
    try:
        with urllib.request.urlopen(url, timeout=10) as page:
            found = parse(page.read().decode())
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise InputError(f"{url}: cannot be read: {error}") from error
    missing = [name for name in (_PROMPT, _OUTPUT, _LATENCY) if name not in found]
    if missing:
        raise InputError(f"{url}: no metric vllm:{missing[0]}; is this vLLM's metrics page?")
    return found
