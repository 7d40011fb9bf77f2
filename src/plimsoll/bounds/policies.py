"""The upper end to begin with: the best schedule that any policy of the catalogue makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import InputError
from ..trace import Trace
from .area import volume
from .problem import Ints, Problem

FIRST = ("svf", "mc-sf", "sorted-f")  # usually the best, so that a short limit sees them


def schedules(problem: Problem, stop: Callable[[], bool]) -> Iterator[tuple[str, Ints]]:
    """Name and starts, shape (n,), of every policy that finishes every request, until ``stop()``.

    A policy that kills leaves its last attempts, which hold no more than all its attempts did. One that needs
    parameters, refuses these requests, does not settle or takes ten times the rounds that they need is passed over.
    """
    from ..host.discrete import Rounds
    from ..policy.load import catalogue
    from ..predict.load import load_predictor

    kinds = catalogue()
    order = np.argsort(problem.arrival, kind="mergesort")
    back = np.argsort(order, kind="mergesort")
    arrival, prompt, output = (column[order] for column in problem[:3])
    trace = Trace(arrival.astype(np.float64), prompt, output)
    needed = int(arrival.max() + output.max()) + int(volume(prompt, output).sum()) // problem.capacity
    host = Rounds(problem.capacity, rounds_per_s=1.0, max_rounds=10 * needed + 1000)
    exact = load_predictor("exact")
    for name in [*FIRST, *(other for other in kinds if other not in FIRST)]:
        if stop():
            return
        if name in kinds and _complete(kinds[name]):
            try:
                result = host.run(trace, kinds[name](), exact, 0, True, None)
            except InputError:
                continue
            if result.completed == len(output):
                yield name, (result.finish - output).astype(np.int64)[back]


def _complete(kind: Any) -> bool:
    """True if a policy needs no parameter."""
    return len(kind._field_defaults) == len(kind._fields)
