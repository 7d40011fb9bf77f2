"""Arbitrary prompts: the regimes take turns on one machine."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit import njit
from ..policy import RERANK, START, Plan, View, volume
from ..policy.pipeline import forget_phase, paced, phase_slice, phase_table
from ..policy.relay import (
    ELSEWHERE,
    attempts,
    count_attempt,
    end_turn,
    fresh_turn,
    rest_of_turn,
    stage_began,
    take_turn,
)
from ..policy.width import joins
from .geometric import all_at_once
from .regime import response_phases, widths

_WIDTH, _BRANCH, _FIRST, _GRANTED = 2, 3, 4, 5  # columns after those of the relay
_TIMED, _ANSWERS, _LARGE = 0, 1, 2  # Route's branches: prompt-heavy so far, response-heavy, large


class Route(NamedTuple):
    """Rect on small prompts, Response on those whose output proves longer than the prompt, Rect on large prompts.

    idle : give an empty branch's time to the next one. The guarantee is stated without.

    The three branches take turns of 2^r rounds in stage r, each a fresh copy: nothing is kept between turns.
    """

    idle: bool = False

    uses = "none"
    guarantee = "total ≤ 996 · OPT for any prompts and outputs, all at time 0"
    source = "arXiv:2607.09248, Algorithm Route"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        all_at_once(requests, "route")
        return _branches(requests, capacity)

    def rank(self, view: View, i: int) -> float:
        return route_rank(view, i)

    def admit(self, view: View, i: int) -> int:
        return route_admit(view, i, self.idle)

    def limit(self, view: View, i: int) -> int:
        return route_limit(view, i)


class RouteOnline(NamedTuple):
    """Route for arrivals over time: a request joins at the beginning of the first stage after its arrival.

    idle : give an empty branch's time to the next one. The guarantee is stated without.
    """

    idle: bool = False

    uses = "none"
    guarantee = "Σ completion times ≤ O(1) · OPT (no guarantee on latency: none is possible)"
    source = "arXiv:2607.09248, Theorem 9"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        return _branches(requests, capacity)

    def rank(self, view: View, i: int) -> float:
        return route_rank(view, i)

    def admit(self, view: View, i: int) -> int:
        return route_admit(view, i, self.idle)

    def limit(self, view: View, i: int) -> int:
        return route_limit(view, i)


class RectMix(NamedTuple):
    """Rect on widths up to a share of the memory, and Rect on the wider ones, taking turns.

    longest : a bound on every output, tokens, if there is one: widths are then prompt + longest. 0 for none.
    split : share of M that parts the two branches.
    cutoff : without ``longest``, prompts above this share of M get the whole memory, the others twice their prompt.
    """

    longest: int = 0
    split: float = 0.6032778
    cutoff: float = 0.25

    ranges = {"longest": (0, float("inf")), "split": (0.01, 0.99), "cutoff": (0.0, 0.499)}
    uses = "width"
    guarantee = "total ≤ 120.83 · OPT of the rectangles, all at time 0, any widths that no output outgrows"
    source = "arXiv:2607.09248, Theorem 7"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        all_at_once(requests, "rect-mix")
        wide = widths(requests["prompt"], capacity, self.cutoff, self.longest)
        wider = (wide > self.split * capacity).astype(np.float64)
        none = np.zeros(len(wide))
        return Plan(np.column_stack([none, none - 1, wide, wider, none, none]), phase_table([]))

    def rank(self, view: View, i: int) -> float:
        on = take_turn(view, 2)
        room = view.columns[i, _WIDTH] - view.requests[i].prompt
        if view.columns[i, _GRANTED] >= room and view.columns[i, _WIDTH] < view.capacity:
            view.columns[i, _WIDTH], view.columns[i, _BRANCH] = view.capacity, 1.0
        return view.columns[i, _WIDTH] * 2.0 ** attempts(view, i) if view.columns[i, _BRANCH] == on else ELSEWHERE

    def admit(self, view: View, i: int) -> int:
        on = take_turn(view, 2)
        if fresh_turn(view):
            return RERANK
        return START if view.columns[i, _BRANCH] == on and joins(view, i, _WIDTH) else rest_of_turn(view)

    def limit(self, view: View, i: int) -> int:
        return rect_limit(view, i, int(view.columns[i, _WIDTH]) - view.requests[i].prompt)


class ClairvoyantMix(NamedTuple):
    """Smallest volume first on requests up to half the memory, shortest first one by one on the rest, taking turns.

    The small ones start while the final sizes of all fit together, and nobody passes the head of the queue.
    """

    uses = "length"
    guarantee = "total ≤ 28 · OPT for any prompts and exact lengths, all at time 0"
    source = "arXiv:2607.09248, appendix A"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        all_at_once(requests, "clairvoyant-mix")
        peak = np.minimum(requests["prompt"] + np.ceil(requests["predicted"]), capacity)
        large = 2 * peak > capacity
        none = np.zeros(len(peak))
        columns = [none, none - 1, np.where(large, capacity, peak), large.astype(np.float64)]
        return Plan(np.column_stack(columns), phase_table([]))

    def rank(self, view: View, i: int) -> float:
        if view.columns[i, _BRANCH] != take_turn(view, 2):
            return ELSEWHERE
        r = view.requests[i]
        return r.predicted if view.columns[i, _BRANCH] == 1.0 else volume(r.prompt, r.predicted)

    def admit(self, view: View, i: int) -> int:
        on = take_turn(view, 2)
        if fresh_turn(view):
            return RERANK
        fits = view.columns[i, _BRANCH] == on and view.requests[i].prompt <= view.free and joins(view, i, _WIDTH)
        return START if fits else rest_of_turn(view)

    def limit(self, view: View, i: int) -> int:
        return rest_of_turn(view)


def _branches(requests: Any, capacity: int) -> Plan:
    prompt = requests["prompt"]
    large = 4 * prompt > capacity
    branch = np.where(large, _LARGE, np.where(prompt == 0, _ANSWERS, _TIMED))
    phases = response_phases(capacity, 2.0)
    first = np.searchsorted([cap for cap, _, _ in phases], prompt)
    none, wide = np.zeros(len(prompt)), np.where(large, capacity, 2 * prompt)
    return Plan(
        np.column_stack([none, none - 1, wide, branch, first, none]),
        phase_table([(cap, par) for cap, _, par in phases]),
    )


@njit()
def route_rank(view: View, i: int) -> float:
    """Rank within the branch that is on; a request killed after as many tokens as its prompt changes branch."""
    on = take_turn(view, 3)
    columns = view.columns
    if columns[i, _BRANCH] == _TIMED and columns[i, _GRANTED] >= view.requests[i].prompt:
        columns[i, _BRANCH] = _ANSWERS
    if columns[i, _BRANCH] != on or view.requests[i].arrival > stage_began(view):
        return ELSEWHERE
    if on == _ANSWERS:
        return (columns[i, _FIRST] + attempts(view, i)) * len(view.requests) + i
    return columns[i, _WIDTH] * 2.0 ** attempts(view, i)


@njit()
def route_admit(view: View, i: int, idle: bool) -> int:
    """Rect's or Response's answer, within the turn of the branch that is on."""
    on = take_turn(view, 3)
    if fresh_turn(view):
        forget_phase(view)
        return RERANK
    if view.columns[i, _BRANCH] != on or view.requests[i].arrival > stage_began(view):
        if idle and len(view.running) == 0 and view.requests[i].arrival <= stage_began(view):
            end_turn(view)
            take_turn(view, 3)
            fresh_turn(view)
            forget_phase(view)
            return RERANK
        return rest_of_turn(view)
    if on == _ANSWERS:
        return min(paced(view, int(view.columns[i, _FIRST]) + attempts(view, i)), rest_of_turn(view))
    return START if joins(view, i, _WIDTH) else rest_of_turn(view)


@njit()
def route_limit(view: View, i: int) -> int:
    """The branch's cap on this attempt, within the turn."""
    if view.columns[i, _BRANCH] == _ANSWERS:
        cap = phase_slice(view, int(view.columns[i, _FIRST]) + attempts(view, i))
        count_attempt(view, i)
        return min(cap, rest_of_turn(view))
    prompt = view.requests[i].prompt
    return rect_limit(view, i, prompt if view.columns[i, _BRANCH] == _TIMED else view.capacity - prompt)


@njit()
def rect_limit(view: View, i: int, room: int) -> int:
    """Rect's 2^attempt, at most ``room`` tokens and the rest of the turn; noted in the column of what was granted."""
    cap = min(1 << min(attempts(view, i), 40), max(1, room))
    count_attempt(view, i)
    view.columns[i, _GRANTED] = min(cap, rest_of_turn(view))
    return int(view.columns[i, _GRANTED])
