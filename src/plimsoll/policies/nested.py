"""Nested WAIT: nobody knows an output's length, so segments of it wait for enough survivors of the one before."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError, feasible
from ..jit import njit
from ..policy import START, STOP, Plan, View
from ..policy.fluid import LinearStep, Types, residency
from ..policy.thresholds import Segments, nested_thresholds, segment_caps
from .threshold import entering

# Memory: 5 figures of the whole, then 5 of each segment. Column 0: the boundary that a request was taken across.
_ARRIVED, _LEFT, _SEGMENTS, _WAITING, _FULL, _HEAD = 0, 1, 2, 3, 4, 5
_END, _COUNT, _BATCHES, _OPEN, _LAST, _EACH = 0, 1, 2, 3, 4, 5


class NestedWait(NamedTuple):
    """Segments of the output take part, the first k of them, as long as enough requests wait at each one's door.

    segments : the output is cut into so many segments of equal width.
    cap : requests that run at once over all stages, spread over the segments; 0 solves for thresholds that keep up
        with the arrivals, or, where none do within M, takes the largest cap that M holds.
    margin : thresholds fall from segment to segment by the share that survives plus this.
    independent : each segment waits for its own door alone, and whoever is inside advances.
    literal : crossing a boundary takes a batch of its own, without a token (if anybody else takes part in it).
    timeout : a segment that had no batch for so long goes on with what there is, host units.
    fixed_s, per_token_s : the step time that thresholds are solved for; give the host the same.

    Of the predictions only their distribution is used, never one request's own. A threshold below 1 lets one
    request in every 1/threshold batches. After the last arrival of a trace nothing is waited for, and no request
    is dropped. In the literal form the tokens of a request that crosses a boundary do not count for the time of
    that batch. Runs in the iterations host.
    """

    segments: int = 4
    cap: float = 0.0
    margin: float = 0.05
    independent: bool = False
    literal: bool = False
    timeout: float = inf
    fixed_s: float = 0.276 / 21
    per_token_s: float = 1.15e-5 / 21

    ranges = {"segments": (1, 1000), "cap": (0.0, inf), "margin": (0.001, 0.999), "timeout": (0.0, inf)}
    uses = "law of the lengths"
    guarantee = (
        "throughput gap O(1/(ζT)), latency O(1), overflow with probability ≤ δ, at the memory `plimsoll fluid` prints"
    )
    source = "arXiv:2504.11320"
    whole_batches = True  # who takes part is decided before anyone starts, as no serving engine does

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        found, rate = mix(requests, self.segments)
        count = self.thresholds(found, rate, capacity)
        needs = float(count @ found.held)
        if needs > capacity * (1 + 1e-9):
            raise InputError(
                f"nested-wait: these thresholds need {needs:,.0f} tokens of a capacity of {capacity:,}; feasible with "
                f"cap={feasible(self.largest_cap(found, capacity))} or less"
            )
        memory = np.zeros(_HEAD + _EACH * len(count))
        memory[_SEGMENTS] = len(count)
        memory[_HEAD + _END :: _EACH] = found.bounds
        memory[_HEAD + _END + _EACH * (len(count) - 1)] = inf
        memory[_HEAD + _COUNT :: _EACH] = count
        memory[_HEAD + _LAST :: _EACH] = requests["arrival"][0]
        return Plan(np.zeros((len(requests), 1)), memory)

    def thresholds(self, found: Segments, rate: float, capacity: int) -> npt.NDArray[np.float64]:
        """The threshold of each segment, shape (m,)."""
        if self.cap > 0:
            return self.shared_out(found, self.cap)
        try:
            step = LinearStep(self.fixed_s, self.per_token_s)
            solved = nested_thresholds(found, rate, step, margin=self.margin)
            if solved.memory <= capacity:
                return solved.count
        except InputError:
            pass
        return self.shared_out(found, self.largest_cap(found, capacity))

    def shared_out(self, found: Segments, cap: float) -> npt.NDArray[np.float64]:
        """Thresholds, shape (m,), of a cap on concurrent requests."""
        return segment_caps(found.stages, self.ratio(found), cap)[1] / found.stages

    def largest_cap(self, found: Segments, capacity: int) -> float:
        """The largest cap on concurrent requests whose thresholds fit the memory."""
        return capacity / float(self.shared_out(found, 1.0) @ found.held)

    def ratio(self, found: Segments) -> npt.NDArray[np.float64]:
        """n_{k+1}/n_k, shape (m − 1,)."""
        return np.minimum(found.survive[1:] + self.margin, 0.99)

    def rank(self, view: View, i: int) -> float:
        view.memory[_WAITING] += 1.0
        view.columns[i, 0] = 0.0
        if view.requests[i].evictions == 0:
            view.memory[_ARRIVED] += 1.0
        return view.requests[i].arrival

    def select(self, view: View, out: Any) -> int:
        inside, door = stand(view)
        open_segments(view, inside, door, self.timeout, self.independent)
        return taking_part(view, out, inside, self.independent, self.literal)

    def admit(self, view: View, i: int) -> int:
        if view.memory[_LEFT] <= 0.0:
            return STOP
        if view.requests[i].prompt + view.requests[i].generated > view.free:
            view.memory[_FULL] = 1.0
            return STOP
        view.memory[_LEFT] -= 1.0
        view.memory[_WAITING] -= 1.0
        return START

    def wake(self, view: View) -> float:
        first = inf
        if len(view.running) > 0 or view.memory[_WAITING] > 0.0:
            for k in range(int(view.memory[_SEGMENTS])):
                due = view.memory[_HEAD + _EACH * k + _LAST] + self.timeout
                if due > view.now:
                    first = min(first, due)
        return first


def mix(requests: Any, count: int) -> tuple[Segments, float]:
    """Segments of equal width over the predicted outputs, with the longest prompt of all, and requests per second."""
    predicted = np.ceil(requests["predicted"])
    arrival, prompt = requests["arrival"], np.full(len(predicted), float(requests["prompt"].max()))
    rate = len(predicted) / (float(arrival[-1] - arrival[0]) or 1.0)
    each: npt.NDArray[np.float64] = np.full(len(predicted), rate / len(predicted))
    types = Types(each, prompt, predicted, residency(prompt, predicted))
    longest = float(predicted.max())
    cuts = np.unique(np.ceil(longest * np.arange(1, count) / count))
    return Segments.of(types, cuts[cuts < longest]), rate


@njit()
def stand(view: View) -> Any:
    """(segment of each running request, how many wait at each segment's door)."""
    memory = view.memory
    inside, door = np.zeros(len(view.running), np.int64), np.zeros(int(memory[_SEGMENTS]), np.int64)
    for x in range(len(view.running)):
        r = view.running[x]
        tokens = r.offset + view.step - view.requests[r.id].prompt
        k = 0
        while tokens >= memory[_HEAD + _EACH * k + _END]:
            k += 1
        inside[x] = k
        if k > view.columns[r.id, 0]:
            door[k] += 1
    door[0] = int(memory[_WAITING])
    return inside, door


@njit()
def open_segments(view: View, inside: Any, door: Any, timeout: float, independent: bool) -> None:
    """Decide which segments take part: OPEN is −1 for those that do not, else who may come in at the door."""
    memory = view.memory
    within = np.zeros(len(door), np.int64)
    for x in range(len(inside)):
        if inside[x] <= view.columns[view.running[x].id, 0]:
            within[inside[x]] += 1
    drained = memory[_ARRIVED] == len(view.requests) or memory[_FULL] == 1.0
    memory[_FULL] = 0.0
    shut = False
    for k in range(len(door)):
        at = _HEAD + _EACH * k
        if within[k] == 0:
            while entering(memory[at + _COUNT], memory[at + _BATCHES]) == 0:
                memory[at + _BATCHES] += 1.0
        need = entering(memory[at + _COUNT], memory[at + _BATCHES])
        if drained or view.now >= memory[at + _LAST] + timeout:
            need = min(need, int(door[k]))
        shut = (shut and not independent) or door[k] < need
        memory[at + _OPEN] = -1.0
        if not shut:
            memory[at + _OPEN] = float(need)
            if need > 0 or within[k] > 0:
                memory[at + _BATCHES] += 1.0
                memory[at + _LAST] = view.now
    memory[_LEFT] = max(0.0, memory[_HEAD + _OPEN])


@njit()
def taking_part(view: View, out: Any, inside: Any, independent: bool, literal: bool) -> int:
    """Who takes part: everybody inside an open segment, and those let in at its door, the earliest first."""
    count, crossing = 0, 0
    ids, across = np.empty(len(inside), np.int64), np.empty(len(inside), np.int64)
    for x in range(len(inside)):
        ids[x] = view.running[x].id
    for x in np.argsort(ids):
        k = inside[x]
        at = _HEAD + _EACH * k
        if k <= view.columns[ids[x], 0]:
            if view.memory[at + _OPEN] >= 0.0 or independent:
                out[count] = ids[x]
                count += 1
        elif view.memory[at + _OPEN] >= 1.0:
            view.memory[at + _OPEN] -= 1.0
            view.columns[ids[x], 0] = k
            if literal:
                across[crossing] = ids[x]
                crossing += 1
            else:
                out[count] = ids[x]
                count += 1
    if count > 0 or view.memory[_LEFT] > 0.0:
        return count
    for x in range(crossing):
        out[x] = across[x]
    return crossing
