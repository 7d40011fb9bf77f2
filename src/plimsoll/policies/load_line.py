"""load-line, our own policy: expected volume first, memory loaded to the risk that pays, victims by cost.

docs/load-line.md has the reasons, the proofs and the measurements, with their commands.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..jit import njit
from ..policy import CHANGE, START, STOP, Plan, View, volume
from ..policy.law import expected_volume
from ..policy.risk import FORECAST, add, crowded, next_finish
from ..policy.view import Columns

# The policy's memory. A sum or mean marked * forgets: see FORGET and RECENT.
NOW, STEP, PREFILL, BEGUN = range(4)  # the window being measured: its first instant, tokens and volume started in it
SS, SP, PP, ST, PT = range(4, 9)  # * products of (steps, tokens to prefill, time) over windows, for RECOMPUTE
RECOMPUTE = 9  # steps that recomputing one token takes
SERVED, TIME = 10, 11  # * volume started, and the time that it took
LOST, FREED = 12, 13  # * token-steps of work lost for good by evictions, and tokens that these freed
LAST_LOST, LAST_FREED = 14, 15  # the same of the last eviction, until it is known whether its work is lost
SIZE, SEEN = 16, 17  # * mean volume of the arrivals, and their number
BACKLOG = 18  # expected volume of all waiting requests
AT_STEP, AT_COUNT = 19, 20  # the instant for which the forecast was made
FORECASTS = 21  # of the running requests, and of these with the one that asks
SIZES = FORECASTS + 2 * FORECAST  # * the share of the arrivals in each bin of expected volume
BINS = 64  # half octaves
CLIENTS = SIZES + BINS  # each client's part of the backlog
OWN_SLACK, OWN_VOLUME = range(2)  # columns: a request's place behind its arrival, its share of the backlog; −1 unset

WINDOW = 32  # steps
FORGET = 0.99  # per window or eviction
RECENT = 500  # arrivals
PRIOR = 0.005  # steps to recompute a token, until measured: about a GPU's bytes/s over its FLOP/s
TAIL = 0.01  # share of the requests, the largest, that stand back: those which a 99th percentile leaves out
FAR = 2.0  # waiting volumes by which they do


class LoadLine(NamedTuple):
    """Expected volume first with ageing that scales itself; loads memory to the risk that pays; cheapest victims.

    order : False keeps the order of arrival and leaves admission and victims as they are.
    fair : weight of fairness between clients: 1 orders by the turn that an equal share of the machine would give each
        client, 0 looks at no client.
    recompute : keep an evicted request's tokens and rebuild their KV, instead of starting over.

    Needs no predictor: with ``law`` it knows the lengths of the requests finished so far. It uses a better one.
    """

    order: bool = True
    fair: float = 0.0
    recompute: bool = False

    ranges = {"fair": (0, 1)}
    predictor = "law"
    uses = "law of the length"
    guarantee = (
        "at each admission, P(overflow at horizon h, nobody else starting) ≤ (h + idle)/(h + idle + price), up to the "
        "error of a normal sum: independent lengths, the right law"
    )
    source = "ours: docs/load-line.md"

    def plan(self, requests: Columns, capacity: int, rng: np.random.Generator) -> Plan:
        """Two columns of each request, and the memory for what is measured."""
        memory = np.zeros(CLIENTS + int(requests["client"].max(initial=0)) + 1)
        memory[RECOMPUTE] = PRIOR
        memory[AT_STEP] = -1.0
        return Plan(np.full((len(requests), 2), -1.0), memory)

    def rank(self, view: View, i: int) -> float:
        """The arrival, set back by the slack that its expected volume is worth; the same after an eviction."""
        own, size = view.columns[i], expected_volume(view, i)
        if own[OWN_VOLUME] < 0.0:
            own[OWN_SLACK] = slack(view, size) + self.fair * excess(view, i)
        else:
            judge(view, view.requests[i].generated == 0)
        own[OWN_VOLUME] = size
        wait_with(view, i, size)
        return view.requests[i].arrival + (own[OWN_SLACK] if self.order else 0.0)

    def admit(self, view: View, i: int) -> int:
        """START while no horizon is too crowded; else ask again at a change, or when the forecast has moved on."""
        watch(view)
        if view.evicted > 0:
            return STOP
        context = view.requests[i].prompt + view.requests[i].generated
        if context > view.free:
            return CHANGE
        memory, count = view.memory, len(view.running)
        forecast, trial = memory[FORECASTS : FORECASTS + FORECAST], memory[FORECASTS + FORECAST : SIZES]
        if memory[AT_STEP] != view.step or memory[AT_COUNT] != count:
            forecast[:] = 0.0
            for x in range(count):
                add(forecast, view, view.running[x].id, view.running[x].offset + view.step)
            memory[AT_STEP], memory[AT_COUNT] = view.step, count
        for y in range(FORECAST):
            trial[y] = forecast[y]
        add(trial, view, i, context)
        if count > 0:
            ahead = crowded(trial, view.capacity, next_finish(trial, count + 1), price(view))
            if ahead > 0:
                return max(1, ahead // 4)
        for y in range(FORECAST):
            forecast[y] = trial[y]
        memory[AT_COUNT] = count + 1
        memory[PREFILL] += context
        memory[BEGUN] += view.columns[i, OWN_VOLUME]
        wait_with(view, i, -view.columns[i, OWN_VOLUME])
        view.columns[i, OWN_VOLUME] = 0.0
        return START

    def leave(self, view: View, i: int) -> None:
        """What a request that gives up was worth no longer waits."""
        if view.columns[i, OWN_VOLUME] > 0.0:
            wait_with(view, i, -view.columns[i, OWN_VOLUME])

    def evict(self, view: View, out: Any) -> int:
        """The cheapest request whose memory is enough, else the largest; never the one longest in memory.

        That one finishes in the end, whatever happens to the others, so that no run repeats itself for ever.
        """
        memory, oldest = view.memory, view.running[0].id
        for r in view.running:
            if view.requests[r.id].turn < view.requests[oldest].turn:
                oldest = r.id
        least, largest = math.inf, -1
        for r in view.running:
            held = r.offset + view.step
            enough = held + 1 >= view.over
            lost = volume(view.requests[r.id].prompt, held - view.requests[r.id].prompt)
            cost = held + (lost if memory[LOST] > 0.0 else 0.0)
            better = cost < least if enough else least == math.inf and held > largest
            if better and (r.id != oldest or len(view.running) == 1):
                least, largest = cost if enough else math.inf, held
                out[0] = r.id
                memory[LAST_LOST], memory[LAST_FREED] = lost, held
        return 1


@njit()
def slack(view: View, size: float) -> float:
    """How far behind its arrival a request of this expected volume stands, in the host's time.

    Back by FAR present waits for the largest requests, a share of TAIL of them; where hardly anybody waits, in order
    of arrival. Below the mean, forward by the logarithm times the present wait, so that small ones pass a queue however
    long it is. A place never moves: a later arrival comes before this request only if its slack is smaller by more
    than the time between them.
    """
    memory = view.memory
    memory[SEEN] += 1.0
    weight = 1.0 / min(memory[SEEN], RECENT)
    memory[SIZE] += (size - memory[SIZE]) * weight
    back = FAR * memory[BACKLOG] if as_large(memory, size, weight) < TAIL else 0.0
    return pace(view) * (back + memory[BACKLOG] * min(0.0, math.log(size / memory[SIZE])))


@njit()
def as_large(memory: Any, size: float, weight: float) -> float:
    """Count a request of this expected volume; the share of recent arrivals above it, with half of its own bin."""
    own = min(max(int(2.0 * math.log2(max(size, 1.0))), 0), BINS - 1)
    above = 0.0
    for x in range(BINS):
        memory[SIZES + x] *= 1.0 - weight
        if x > own:
            above += memory[SIZES + x]
    memory[SIZES + own] += weight
    return above + memory[SIZES + own] / 2.0


@njit()
def excess(view: View, i: int) -> float:
    """How far request i's client is behind its arrivals, were the machine shared equally, less how far all are."""
    memory, waiting, own = view.memory, 1, CLIENTS + view.requests[i].client
    for at in range(CLIENTS, len(memory)):
        waiting += at != own and memory[at] > 1e-3 * memory[SIZE]
    return pace(view) * (waiting * memory[own] - memory[BACKLOG])


@njit()
def pace(view: View) -> float:
    """The time in which one unit of waiting volume is served."""
    memory = view.memory
    return memory[TIME] / memory[SERVED] if memory[SERVED] > 0.0 else 1.0 / view.capacity


@njit()
def wait_with(view: View, i: int, size: float) -> None:
    """So much more expected volume waits, that of request i."""
    view.memory[BACKLOG] += size
    view.memory[CLIENTS + view.requests[i].client] += size


@njit()
def watch(view: View) -> None:
    """Measure, a window at a time, what a recomputed token costs and how fast waiting volume is served.

    Least squares of time on steps and prefilled tokens; their ratio is drawn to PRIOR by a twentieth of the data.
    """
    memory = view.memory
    steps = view.step - memory[STEP]
    if 0 < steps < WINDOW and len(view.running) > 0:
        return
    time, tokens = view.now - memory[NOW], memory[PREFILL]
    if steps >= WINDOW and len(view.running) > 0 and time > 0.0:
        for x, value in (
            (SS, steps * steps),
            (SP, steps * tokens),
            (PP, tokens * tokens),
            (ST, steps * time),
            (PT, tokens * time),
            (SERVED, memory[BEGUN]),
            (TIME, time),
        ):
            memory[x] = FORGET * memory[x] + value
        plain = memory[ST] / (memory[SS] + PRIOR * memory[SP])
        pull = 0.05 * memory[PP]
        spread = memory[SS] * (memory[PP] + pull) - memory[SP] * memory[SP]
        if spread > 0.0:
            token = (memory[SS] * (memory[PT] + pull * PRIOR * plain) - memory[SP] * memory[ST]) / spread
            step = (memory[ST] - max(token, 0.0) * memory[SP]) / memory[SS]
            memory[RECOMPUTE] = max(token, 0.0) / step if step > 0.0 else PRIOR
    memory[NOW], memory[STEP], memory[PREFILL], memory[BEGUN] = view.now, view.step, 0.0, 0.0


@njit()
def judge(view: View, restarts: bool) -> None:
    """Book the last eviction: its work is lost where requests start over."""
    memory = view.memory
    memory[LOST] = FORGET * memory[LOST] + (memory[LAST_LOST] if restarts else 0.0)
    memory[FREED] = FORGET * memory[FREED] + memory[LAST_FREED]


@njit()
def price(view: View) -> float:
    """What an evicted token costs, in token-steps: the whole memory waits while it is recomputed, or work is lost."""
    memory = view.memory
    lost = memory[LOST] / memory[FREED] if memory[FREED] > 0.0 else 0.0
    return view.capacity * memory[RECOMPUTE] + lost
