"""WAIT: a batch forms when enough requests of a type have come, and then all of that type's stages advance."""

from __future__ import annotations

from math import floor, inf
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError, feasible
from ..jit import njit
from ..policy import SKIP, START, STOP, Plan, View
from ..policy.fluid import LinearStep, Types, kinds_of, residency
from ..policy.thresholds import wait_thresholds

# Memory: 4 figures of the whole, then 5 of each type.
_ARRIVED, _OPEN, _TYPES, _HEAD = 0, 1, 2, 4
_COUNT, _WAITING, _BATCHES, _LEFT, _LAST, _EACH = 0, 1, 2, 3, 4, 5


class Wait(NamedTuple):
    """All stages of a type advance together, once as many of it wait as its threshold says; else they pause.

    types : at most so many types, found by clustering prompt and predicted output.
    threshold : the threshold of every type; 0 takes the smallest that keep up with the arrivals, or, where none do
        (outside the stability region), those of share = 1.
    share : instead, thresholds in proportion to the types' rates that fill this share of M, for the number of types
        with which the most requests enter per batch.
    timeout : a type that had no batch for so long goes on with what there is, host units.
    fixed_s, per_token_s : the step time that thresholds are solved for; give the host the same.

    A threshold below 1 lets one request enter every 1/threshold batches. After the last arrival of a trace nothing
    is waited for, and no request is dropped. Runs in the iterations host.
    """

    types: int = 4
    threshold: float = 0.0
    share: float = 0.0
    timeout: float = inf
    fixed_s: float = 0.276 / 21
    per_token_s: float = 1.15e-5 / 21

    ranges = {"types": (1, 64), "threshold": (0.0, inf), "share": (0.0, 1.0), "timeout": (0.0, inf)}
    uses = "type"
    guarantee = (
        "no eviction and memory ≤ M^π: iterations host, exact lengths; throughput gap O((ζT)^−½) as arrivals and speed "
        "scale by ζ, where ΔT ≤ n/λ for every type and M* ≤ M^π ≤ M"
    )
    source = "arXiv:2504.11320"
    whole_batches = True  # who takes part is decided before anyone starts, as no serving engine does

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        label, count, _ = self.thresholds(requests, capacity)
        memory = np.zeros(_HEAD + _EACH * len(count))
        memory[_TYPES] = len(count)
        memory[_HEAD + _COUNT :: _EACH] = count
        memory[_HEAD + _LAST :: _EACH] = requests["arrival"][0]
        return Plan(label.astype(np.float64)[:, None], memory)

    def thresholds(self, requests: Any, capacity: int) -> tuple[Any, npt.NDArray[np.float64], float]:
        """The type of each request (n,), the threshold of each type, and M^π, tokens.

        Parameters
        ----------
        requests : columns ``prompt``, ``predicted`` and ``arrival`` (ascending).
        """
        if self.share > 0:
            return fullest(requests, self.share * capacity, self.types)
        label = labels(requests, self.types)
        found, peak = types_of(requests, label), peaks_of(requests, label)
        if self.threshold > 0:
            count = np.full(len(found.rate), self.threshold)
        else:
            try:
                count = wait_thresholds(found, LinearStep(self.fixed_s, self.per_token_s), capacity).count
            except InputError:
                return fullest(requests, capacity, self.types)
        memory = threshold_memory(found, peak, count)
        if memory > capacity * (1 + 1e-9):
            raise InputError(
                f"wait: these thresholds need {memory:,.0f} tokens of a capacity of {capacity:,}; feasible with "
                f"{largest_threshold(found, peak, capacity)}"
            )
        return label, count, memory

    def rank(self, view: View, i: int) -> float:
        at = _HEAD + _EACH * int(view.columns[i, 0])
        view.memory[at + _WAITING] += 1.0
        if view.requests[i].evictions == 0:
            view.memory[_ARRIVED] += 1.0
        return view.requests[i].arrival

    def select(self, view: View, out: Any) -> int:
        open_types(view, self.timeout)
        count = 0
        for r in view.running:
            if view.memory[_HEAD + _EACH * int(view.columns[r.id, 0]) + _LEFT] >= 0.0:
                out[count] = r.id
                count += 1
        return count

    def admit(self, view: View, i: int) -> int:
        if view.memory[_OPEN] <= 0.0 or view.requests[i].prompt + view.requests[i].generated > view.free:
            return STOP
        at = _HEAD + _EACH * int(view.columns[i, 0])
        if view.memory[at + _LEFT] <= 0.0:
            return SKIP
        view.memory[at + _LEFT] -= 1.0
        view.memory[at + _WAITING] -= 1.0
        view.memory[_OPEN] -= 1.0
        return START

    def wake(self, view: View) -> float:
        first = inf
        for j in range(int(view.memory[_TYPES])):
            at = _HEAD + _EACH * j
            due = view.memory[at + _LAST] + self.timeout
            if due > view.now and (view.memory[at + _WAITING] > 0.0 or len(view.running) > 0):
                first = min(first, due)
        return first


def labels(requests: Any, types: int) -> npt.NDArray[np.int64]:
    """The type of each request, shape (n,), from 0 without gaps: at most ``types`` of them."""
    found = kinds_of(requests["prompt"], np.ceil(requests["predicted"]), types)
    return np.unique(found, return_inverse=True)[1]


def fullest(requests: Any, room: float, types: int) -> tuple[Any, npt.NDArray[np.float64], float]:
    """The types, at most ``types``, with which the most requests enter per batch within ``room`` tokens.

    Thresholds are in proportion to the types' rates, as in the fluid, but fractional: see ``threshold_memory``.

    Returns
    -------
    What :meth:`Wait.thresholds` does.

    Raises
    ------
    InputError
        If one largest request alone takes all of ``room``.
    """
    best, pace = None, 0.0
    for most in range(1, types + 1):
        label = labels(requests, most)
        found, peak = types_of(requests, label), peaks_of(requests, label)
        left = room - float(peak.sum())
        faster = left / float(found.rate @ residency(found.prompt, found.output))
        if faster > pace:
            count, pace = found.rate * faster, faster
            best = label, count, threshold_memory(found, peak, count)
    if best is None:
        largest = float((requests["prompt"] + np.ceil(requests["predicted"])).max())
        raise InputError(
            f"wait: {room:,.0f} tokens do not hold more than the largest request, {largest:,.0f} tokens; "
            "feasible with a larger share or more memory"
        )
    return best


def types_of(requests: Any, label: npt.NDArray[np.int64]) -> Types:
    """Each type's rate, and its longest prompt and predicted output, which decide the memory it needs."""
    arrival = requests["arrival"]
    span = float(arrival[-1] - arrival[0]) or 1.0
    rate = np.bincount(label) / span
    prompt, output = np.zeros((2, len(rate)))
    np.maximum.at(prompt, label, requests["prompt"])
    np.maximum.at(output, label, np.ceil(requests["predicted"]))
    return Types(rate, prompt, output, residency(prompt, output))


def peaks_of(requests: Any, label: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The largest prompt + predicted output of each type, tokens."""
    peak = np.zeros(label.max() + 1)
    np.maximum.at(peak, label, requests["prompt"] + np.ceil(requests["predicted"]))
    return peak


def threshold_memory(types: Types, peak: npt.NDArray[np.float64], count: npt.NDArray[np.float64]) -> float:
    """M^π, tokens: Σ n·W, and for a threshold that is not whole one largest request more.

    A stage holds n requests on average, and any run of stages at most one more than its share; weights rise with
    the stage, so the excess is at most the last stage's.
    """
    uneven = count != np.floor(count)
    return float(count @ residency(types.prompt, types.output)) + float(peak[uneven].sum())


def largest_threshold(types: Types, peak: npt.NDArray[np.float64], capacity: int) -> str:
    """In words, the largest threshold for all types alike that ``capacity`` holds: whole, or else a fraction."""
    each = float(residency(types.prompt, types.output).sum())
    whole, part = floor(capacity / each), (capacity - float(peak.sum())) / each
    if whole < 1 and part <= 0:
        return "fewer types, or share=1"
    return f"threshold={whole if whole >= 1 else feasible(part)} or less, fewer types, or share=1"


@njit()
def entering(count: float, batches: float) -> int:
    """Requests that enter in the next batch: thresholds that are not whole are spread evenly over batches."""
    return floor(count * (batches + 1.0) + 1e-9) - floor(count * batches + 1e-9)


@njit()
def open_types(view: View, timeout: float) -> None:
    """Decide which types take part in the next batch: LEFT is −1 for those that do not, else who may enter."""
    memory = view.memory
    kinds = int(memory[_TYPES])
    resident = np.zeros(kinds, np.int64)
    for r in view.running:
        resident[int(view.columns[r.id, 0])] += 1
    memory[_OPEN] = 0.0
    for j in range(kinds):
        at = _HEAD + _EACH * j
        if resident[j] == 0:
            while entering(memory[at + _COUNT], memory[at + _BATCHES]) == 0:
                memory[at + _BATCHES] += 1.0
        need = entering(memory[at + _COUNT], memory[at + _BATCHES])
        if memory[_ARRIVED] == len(view.requests) or view.now >= memory[at + _LAST] + timeout:
            need = min(need, int(memory[at + _WAITING]))
        memory[at + _LEFT] = -1.0
        if memory[at + _WAITING] >= need and (need > 0 or resident[j] > 0):
            memory[at + _LEFT] = float(need)
            memory[_OPEN] += need
            memory[at + _BATCHES] += 1.0
            memory[at + _LAST] = view.now
