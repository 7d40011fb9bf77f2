"""Shortest first: MC-SF and its references."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..policy import CHANGE, SKIP, START, Plan, View, cleared, fits, greedy_wait, newest, peak_wait


class McSf(NamedTuple):
    """Memory-constrained shortest first: shortest prediction first while the future peak fits.

    protect : share of M withheld from the test of the peak (0.1 in the paper's runs with prediction errors).
    skip : on a request that does not fit, try the next instead of stopping there. The paper stops.
    age : ageing weight, added as age · arrival to the rank.
    clear : on overflow, which too short predictions cause, every running request is cleared with this probability,
        at least 0.001, until the rest fit (1: all are, which can repeat for ever and then ends "unstable"); 0 evicts
        the newest.

    The paper clears or evicts and tries again; its exact rule is not known.
    """

    protect: float = 0.0
    skip: bool = False
    age: float = 0.0
    clear: float = 0.0

    ranges = {"protect": (0, 1), "age": (0, float("inf")), "clear": (0, 1)}
    uses = "length"
    guarantee = "total ≤ 9216 · OPT for identical prompts, all at time 0; ≤ 5 · OPT there when max(s + o) ≤ M/2"
    source = "arXiv 2502.07115, Algorithm 1"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        if 0.0 < self.clear < 0.001:
            raise InputError(f"mc-sf: clear must be 0 or in [0.001, 1], not {self.clear:g}")
        return Plan()

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].predicted + self.age * view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        if len(view.running) == 0:
            return START if fits(view, i) else CHANGE
        wait = peak_wait(view, i, (1.0 - self.protect) * view.capacity)
        return SKIP if self.skip and wait > 0 else wait

    def evict(self, view: View, out: Any) -> int:
        if self.clear > 0.0:
            return cleared(view, self.clear, out)
        out[0] = newest(view)
        return 1


class Sjf(NamedTuple):
    """Shortest prediction first, admitting what fits now, without look-ahead."""

    watermark: float = 0.0
    age: float = 0.0
    recompute: bool = False

    ranges = {"watermark": (0, 1), "age": (0, float("inf"))}
    uses = "length"
    guarantee = "none"
    source = "reference"

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].predicted + self.age * view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        return greedy_wait(view, i, self.watermark)


class Ljf(NamedTuple):
    """Longest prediction first, admitting what fits now: how bad an order can be."""

    watermark: float = 0.0
    recompute: bool = False

    ranges = {"watermark": (0, 1)}
    uses = "length"
    guarantee = "none"
    source = "reference"

    def rank(self, view: View, i: int) -> float:
        return -view.requests[i].predicted

    def admit(self, view: View, i: int) -> int:
        return greedy_wait(view, i, self.watermark)
