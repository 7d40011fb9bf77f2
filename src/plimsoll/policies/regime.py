"""Arbitrary prompts, unknown lengths, one regime at a time: fixed widths, and outputs longer than prompts."""

from __future__ import annotations

from math import ceil, log
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..jit import njit
from ..policy import CHANGE, START, Plan, View
from ..policy.pipeline import paced, phase_slice, phase_table, pipeline_width
from ..policy.width import joins
from .geometric import all_at_once

_WIDTH, _GRANTED = 0, 1  # columns of Rect


def widths(prompt: npt.NDArray[np.int64], capacity: int, cutoff: float, longest: int) -> npt.NDArray[np.float64]:
    """Memory set aside for each request, tokens, shape (n,).

    prompt + ``longest`` where a bound on all outputs is given; else the regimes' widths: twice the prompt up to
    ``cutoff`` · capacity, the whole capacity above it.
    """
    if longest > 0:
        return np.minimum(prompt + longest, capacity).astype(np.float64)
    return np.where(prompt > cutoff * capacity, capacity, np.maximum(2.0 * prompt, 1.0))


class Rect(NamedTuple):
    """Every request is a rectangle of known width and unknown length; the smallest width × next cap goes first.

    cutoff : prompts above this share of M get the whole memory; the others twice their prompt.
    longest : a bound on every output, tokens, if there is one: widths are then prompt + longest. 0 for none.

    Attempt r may take 2^r rounds, then it is killed and tries again with twice as many. A request that would
    outgrow its width (output above prompt) is killed there and goes on with the whole memory.
    """

    cutoff: float = 0.25
    longest: int = 0

    ranges = {"cutoff": (0.0, 0.499), "longest": (0, float("inf"))}
    uses = "width"
    guarantee = (
        "total ≤ 36 · OPT where all prompts are above M/4, or all outputs are at most the prompt and that at most M/4"
    )
    source = "arXiv:2607.09248, Algorithm Rect"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        wide = widths(requests["prompt"], capacity, self.cutoff, self.longest)
        return Plan(np.column_stack([wide, np.zeros(len(wide))]), phase_table([]))

    def rank(self, view: View, i: int) -> float:
        outgrown(view, i)
        return view.columns[i, _WIDTH] * 2.0 ** view.requests[i].evictions

    def admit(self, view: View, i: int) -> int:
        return START if joins(view, i, _WIDTH) else CHANGE

    def limit(self, view: View, i: int) -> int:
        return granted(view, i, view.requests[i].evictions)


class Response(NamedTuple):
    """Phases of doubling caps; in each, the requests with prompts up to the cap run as one pipeline.

    growth : ratio of one cap to the one before.

    A phase treats every request as if its prompt were min(cap, M − cap), which covers all that take part.
    """

    growth: float = 2.0

    ranges = {"growth": (1.01, 64)}
    uses = "none"
    guarantee = "total ≤ 78.67 · OPT where every output is longer than its prompt, all at time 0, growth = 2"
    source = "arXiv:2607.09248, Algorithm Response"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        all_at_once(requests, "response")
        phases = response_phases(capacity, self.growth)
        first = np.searchsorted([cap for cap, _, _ in phases], requests["prompt"])
        return Plan(first.astype(np.float64)[:, None], phase_table([(cap, par) for cap, _, par in phases]))

    def rank(self, view: View, i: int) -> float:
        return (view.columns[i, 0] + view.requests[i].evictions) * len(view.requests) + i

    def admit(self, view: View, i: int) -> int:
        return paced(view, int(view.columns[i, 0]) + view.requests[i].evictions)

    def limit(self, view: View, i: int) -> int:
        return phase_slice(view, int(view.columns[i, 0]) + view.requests[i].evictions)


def response_phases(capacity: int, growth: float) -> list[tuple[int, int, int]]:
    """Response's phases as (cap, proxy prompt min(cap, M − cap), parallelism), caps ascending without repeats."""
    found: list[tuple[int, int, int]] = []
    for r in range(ceil(log(capacity) / log(growth) - 1e-9) + 1):
        cap = min(ceil(growth**r - 1e-9), capacity)
        proxy = min(cap, capacity - cap)
        if not found or cap > found[-1][0]:
            found.append((cap, proxy, int(pipeline_width(proxy, cap, capacity))))
    return found


@njit()
def granted(view: View, i: int, attempt: int) -> int:
    """Rounds for this attempt: 2^attempt, within the width; noted, so that an outgrown width can be told."""
    room = int(view.columns[i, _WIDTH]) - view.requests[i].prompt
    view.columns[i, _GRANTED] = min(1 << min(attempt, 40), max(1, room))
    return int(view.columns[i, _GRANTED])


@njit()
def outgrown(view: View, i: int) -> None:
    """Give the whole memory to a request that was killed at the end of its width."""
    if (
        view.requests[i].evictions > 0
        and view.columns[i, _GRANTED] >= view.columns[i, _WIDTH] - view.requests[i].prompt
    ):
        view.columns[i, _WIDTH] = view.capacity
