"""GSA with speculative copies in the memory that its pipeline leaves free."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

import numpy as np

from ..jit import njit
from ..policy import CHANGE, RERANK, START, Plan, View
from ..policy.pipeline import begin_phase, count_start, phase_slice, slot, started
from .geometric import one_prompt, slice_table

_NEXT, _STALE, _NOW = 3, 4, 5  # memory: next request of the base schedule, the queue's order is stale, phase
_RUNS, _BASE = 0, 1  # columns: started and not taken back; part in the base schedule
_COPY, _DUE, _SLICE = 0.0, 1.0, 2.0  # none, its slot is due, it runs its slice


class GsaSpec(NamedTuple):
    """GSA as the base schedule, and beside it, in arrival order, runs of whoever still fits this round.

    growth : ratio of one slice to the one before.
    first : the first slice, tokens.

    Speculative runs have no cap. When memory runs short the latest of them are killed, never a base run; a request
    whose base slot falls due is killed as a copy and starts its slice. Whoever finishes leaves the base schedule.
    """

    growth: float = 2.0
    first: int = 64

    ranges = {"growth": (1.001, 64), "first": (1, float("inf"))}
    uses = "none"
    guarantee = "as gsa, whose slots it keeps (first = 1)"
    source = "arXiv:2601.22996, experiments; details ours"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        prompt = one_prompt(requests, "gsa-spec")
        memory = slice_table(prompt, capacity, self.growth, self.first)
        memory[_NEXT], memory[_NOW] = len(requests), -1.0
        return Plan(np.zeros((len(requests), 2)), memory)

    def rank(self, view: View, i: int) -> float:
        view.columns[i, _RUNS] = 0.0
        if view.columns[i, _BASE] == _SLICE:
            view.columns[i, _BASE] = _COPY
        return float(i - len(view.requests)) if view.columns[i, _BASE] == _DUE else float(i)

    def wake(self, view: View) -> float:
        due = next_base(view)
        if due < len(view.requests):
            return slot(view, int(view.memory[_NOW]), started(view)) if view.over == 0 else view.now
        return inf if base_runs(view) and view.over == 0 else view.now

    def evict(self, view: View, out: Any) -> int:
        if next_base(view) == len(view.requests) and not base_runs(view):
            view.memory[_NOW] += 1.0
            view.memory[_NEXT] = 0.0
            begin_phase(view, int(view.memory[_NOW]))
        count = claim_slots(view, out)
        return count + kill_latest(view, out, count)

    def admit(self, view: View, i: int) -> int:
        if view.memory[_STALE] == 1.0:
            view.memory[_STALE] = 0.0
            return RERANK
        return START if view.requests[i].prompt <= view.free else CHANGE

    def limit(self, view: View, i: int) -> int:
        view.columns[i, _RUNS] = 1.0
        if view.columns[i, _BASE] != _DUE:
            return CHANGE
        view.columns[i, _BASE] = _SLICE
        return phase_slice(view, int(view.memory[_NOW]))


@njit()
def runs(view: View, i: int) -> bool:
    """True if request i is running now."""
    found = False
    for r in view.running:
        found = found or r.id == i
    return found


@njit()
def base_runs(view: View) -> bool:
    """True while a slice of the base schedule runs."""
    found = False
    for r in view.running:
        found = found or view.columns[r.id, _BASE] == _SLICE
    return found


@njit()
def next_base(view: View) -> int:
    """The next unfinished request of the base schedule in this phase; n if there is none."""
    i = int(view.memory[_NEXT])
    while i < len(view.requests) and view.columns[i, _RUNS] == 1.0 and not runs(view, i):
        i += 1
    view.memory[_NEXT] = i
    return i


@njit()
def claim_slots(view: View, out: Any) -> int:
    """Give every slot that is due to its request; kill those that run as copies. Returns how many those are."""
    count, i = 0, next_base(view)
    while i < len(view.requests) and slot(view, int(view.memory[_NOW]), started(view)) <= view.step:
        view.columns[i, _BASE] = _DUE
        view.memory[_STALE] = 1.0
        count_start(view)
        if view.columns[i, _RUNS] == 1.0:
            out[count] = i
            count += 1
        view.memory[_NEXT] = i + 1
        i = next_base(view)
    return count


@njit()
def kill_latest(view: View, out: Any, count: int) -> int:
    """Append to ``out`` the copies that do not fit beside the base schedule, the latest arrivals; return how many."""
    use = 0
    copies = np.empty(len(view.running), np.int64)
    tokens = np.zeros(len(view.requests), np.int64)
    k = 0
    for i in range(len(view.requests)):
        if view.columns[i, _BASE] == _DUE:
            use += view.requests[i].prompt + 1
    for r in view.running:
        if view.columns[r.id, _BASE] == _SLICE:
            use += r.offset + view.step + 1
        elif view.columns[r.id, _BASE] == _COPY:
            copies[k] = r.id
            tokens[r.id] = r.offset + view.step + 1
            k += 1
    killed = 0
    for i in np.sort(copies[:k]):
        use += tokens[i]
        if use > view.capacity or killed > 0:
            out[count + killed] = i
            killed += 1
    return killed
