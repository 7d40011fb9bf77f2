"""The geometric family: requests with one prompt length, all at time 0, in slices that grow geometrically."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..jit import njit
from ..policy import CHANGE, START, Plan, View
from ..policy.pipeline import (
    count_start,
    paced,
    phase_ready,
    phase_slice,
    phase_table,
    pipeline_start,
    pipeline_width,
    slot,
    started,
)

_COUNT = 3  # memory: requests in the current phase


def slices(prompt: int, capacity: int, growth: float, first: int) -> list[int]:
    """Slice lengths in order, tokens: floor(growth^p · first), at most capacity − prompt, no repeats."""
    found: list[int] = []
    p = 0
    while not found or found[-1] < capacity - prompt:
        length = min(int(np.floor(growth**p * first + 1e-9)), capacity - prompt)
        if not found or length > found[-1]:
            found.append(length)
        p += 1
    return found


def one_prompt(requests: Any, name: str) -> int:
    """The prompt length that all requests share.

    Raises
    ------
    InputError
        If they do not share one, or do not all arrive together.
    """
    prompt = requests["prompt"]
    if np.any(prompt != prompt[0]):
        raise InputError(
            f"{name} needs equal prompts, but they range from {prompt.min()} to {prompt.max()} tokens; "
            "for unequal prompts use response, route or svf"
        )
    all_at_once(requests, name)
    return int(prompt[0])


def all_at_once(requests: Any, name: str) -> None:
    """Refuse requests that do not all arrive together."""
    arrival = requests["arrival"]
    if np.any(arrival != arrival[0]):
        raise InputError(
            f"{name} needs all requests at one time, but they arrive from {arrival[0]:g} to {arrival[-1]:g}; "
            "set every arrival to 0"
        )


class Gsa(NamedTuple):
    """Geometric slicing: every request gets a slice, whoever is not done starts again in a longer one.

    growth : ratio of one slice to the one before (2 for large memory, 1.7676 in general).
    first : the first slice, tokens (1 in theory, 64 or 256 in the paper's experiments).

    The lengths are never looked at. Within a phase the slices run as one staggered pipeline.
    """

    growth: float = 2.0
    first: int = 1

    ranges = {"growth": (1.001, 64), "first": (1, float("inf"))}
    uses = "none"
    guarantee = "total ≤ 61.92 · OPT (32 for large memory): equal prompts, all at time 0, first = 1, best growth"
    source = "arXiv:2601.22996"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        return Plan(memory=slice_table(one_prompt(requests, "gsa"), capacity, self.growth, self.first))

    def rank(self, view: View, i: int) -> float:
        return float(view.requests[i].evictions) * len(view.requests) + i

    def admit(self, view: View, i: int) -> int:
        return paced(view, view.requests[i].evictions)

    def limit(self, view: View, i: int) -> int:
        return phase_slice(view, view.requests[i].evictions)


class GsaD(NamedTuple):
    """GSA that starts the next slice early when every slice already promised its place still fits.

    growth : ratio of one slice to the one before.
    first : the first slice, tokens.

    Slots of the pipeline stay reserved as envelopes prompt + 1 … prompt + slice, so nobody is delayed.
    """

    growth: float = 2.0
    first: int = 1

    ranges = {"growth": (1.001, 64), "first": (1, float("inf"))}
    uses = "none"
    guarantee = "as gsa: no request finishes later than under it"
    source = "ours, after GBA-D of arXiv:2601.22996"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        return Plan(memory=slice_table(one_prompt(requests, "gsa-d"), capacity, self.growth, self.first))

    def rank(self, view: View, i: int) -> float:
        return float(view.requests[i].evictions) * len(view.requests) + i

    def admit(self, view: View, i: int) -> int:
        phase = view.requests[i].evictions
        if not phase_ready(view, phase):
            return CHANGE
        if started(view) == 0:
            view.memory[_COUNT] = count_of_phase(view, phase)
        early = slot(view, phase, started(view)) - view.step
        wait = envelope_wait(view, i, phase) if early > 0 else START
        return count_start(view) if wait == START else min(wait, early)

    def limit(self, view: View, i: int) -> int:
        return phase_slice(view, view.requests[i].evictions)


class Gba(NamedTuple):
    """Geometric batching: requests of similar predicted length in one pipeline, the shortest class first.

    growth : ratio of the classes' bounds (3/2 for large memory, 4/3 in general).
    first : the first bound, tokens.

    A request that outlives its class's slice starts again in the next class.
    """

    growth: float = 1.5
    first: int = 1

    ranges = {"growth": (1.001, 64), "first": (1, float("inf"))}
    uses = "length"
    guarantee = "total ≤ 10.67 · OPT (6.75 for large memory): equal prompts, all at time 0, exact lengths, first = 1"
    source = "arXiv:2601.22996"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        prompt = one_prompt(requests, "gba")
        group, table = classes(requests, prompt, capacity, self.growth, self.first)
        return Plan(group.astype(np.float64)[:, None], phase_table(table))

    def rank(self, view: View, i: int) -> float:
        return (view.columns[i, 0] + view.requests[i].evictions) * len(view.requests) + i

    def admit(self, view: View, i: int) -> int:
        return paced(view, int(view.columns[i, 0]) + view.requests[i].evictions)

    def limit(self, view: View, i: int) -> int:
        return phase_slice(view, int(view.columns[i, 0]) + view.requests[i].evictions)


class GbaD(NamedTuple):
    """GBA's schedule, then every request in turn moved to the earliest start that disturbs nobody's slot.

    growth : ratio of the classes' bounds.
    first : the first bound, tokens.

    With predictions that are not exact, a request whose slot is taken starts as soon as it fits.
    """

    growth: float = 1.5
    first: int = 1

    ranges = {"growth": (1.001, 64), "first": (1, float("inf"))}
    uses = "length"
    guarantee = "as gba: no request finishes later than under it"
    source = "arXiv:2601.22996, experiments"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        prompt = one_prompt(requests, "gba-d")
        group, table = classes(requests, prompt, capacity, self.growth, self.first)
        output = np.minimum(np.ceil(requests["predicted"]), capacity - prompt).astype(np.int64)
        order = np.lexsort((np.arange(len(group)), group))
        starts, began = np.zeros(len(group), dtype=np.int64), 0
        for phase in np.unique(group):
            members = order[group[order] == phase]
            length, par = table[phase]
            starts[members] = [began + pipeline_start(j, length, par) for j in range(len(members))]
            began = int((starts[members] + output[members]).max())
        _advance(starts, order, output, prompt, capacity, np.zeros(began + 1, dtype=np.int64))
        return Plan((starts + requests["arrival"][0])[:, None])

    def rank(self, view: View, i: int) -> float:
        return view.columns[i, 0]

    def admit(self, view: View, i: int) -> int:
        wait = int(view.columns[i, 0]) - view.step
        if wait > 0:
            return wait
        return START if view.requests[i].prompt <= view.free else CHANGE


def slice_table(prompt: int, capacity: int, growth: float, first: int) -> npt.NDArray[np.float64]:
    """The memory of a policy whose phases are these slices."""
    return phase_table(
        [(length, pipeline_width(prompt, length, capacity)) for length in slices(prompt, capacity, growth, first)]
    )


def classes(
    requests: Any, prompt: int, capacity: int, growth: float, first: int
) -> tuple[npt.NDArray[np.int64], list[tuple[int, int]]]:
    """GBA's class of each request, shape (n,), and (slice, parallelism) of each class.

    A class's slice is the longest prediction in it, which is never above its bound. One more class, with the
    longest slice there can be, takes those that outlive the last one.
    """
    bounds = slices(prompt, capacity, growth, first)
    predicted = np.minimum(np.ceil(requests["predicted"]), capacity - prompt).astype(np.int64)
    group = np.searchsorted(bounds, predicted)
    table = [
        (length, int(pipeline_width(prompt, length, capacity)))
        for length in (int(predicted[group == g].max(initial=0)) or bounds[g] for g in range(len(bounds)))
    ]
    return group, [*table, (bounds[-1], int(pipeline_width(prompt, bounds[-1], capacity)))]


@njit()
def count_of_phase(view: View, phase: int) -> int:
    """Requests that take part in a phase: those taken back exactly as often before it."""
    count = 0
    for r in view.requests:
        if r.evictions == phase:
            count += 1
    return count


@njit()
def envelope_wait(view: View, i: int, phase: int) -> int:
    """START if a slice started now fits beside the running ones and every later slot, else how long to wait.

    Usage grows until a slice ends, so those of the running ones, and the new one's own, are the rounds to test.
    """
    now, length, prompt = view.step, phase_slice(view, phase), view.requests[i].prompt
    starts = np.empty(len(view.running), np.int64)
    for x in range(len(view.running)):
        starts[x] = prompt - view.running[x].offset
    starts.sort()
    rank, last = started(view) + 1, int(view.memory[_COUNT])
    later, held, worst = 0, 0, 0
    for x in range(len(starts) + 1):
        at = starts[x] + length if x < len(starts) else now + length
        while rank < last and slot(view, phase, rank) < at:
            held += prompt - slot(view, phase, rank)
            later += 1
            rank += 1
        use = held + later * at + prompt + at - now
        for y in range(x, len(starts)):
            use += prompt + at - starts[y]
        if use > view.capacity:
            worst = max(worst, min(use - view.capacity, at - now))
    return START if worst == 0 else worst


@njit()
def _advance(starts, order, output, prompt, capacity, use):
    """Move each request, in order, to its earliest feasible start; ``use`` is room for the usage per round."""
    for i in order:
        for u in range(1, output[i] + 1):
            use[starts[i] + u] += prompt + u
    for i in order:
        for u in range(1, output[i] + 1):
            use[starts[i] + u] -= prompt + u
        start, base = 0, starts[i]
        while start < base:
            clash = start
            for at in range(start + output[i], start, -1):
                if use[at] + prompt + at - start > capacity:
                    clash = min(at, prompt + at - capacity + use[at])
                    break
            if clash == start:
                break
            start = clash
        starts[i] = min(start, base)
        for u in range(1, output[i] + 1):
            use[starts[i] + u] += prompt + u
