"""Shortest first: MC-SF and its references."""

from __future__ import annotations

from typing import NamedTuple

from ..policy import CHANGE, SKIP, START, View, fits, greedy_wait, peak_wait


class McSf(NamedTuple):
    """Memory-constrained shortest first: shortest prediction first while the future peak fits.

    protect : share of M withheld from the test of the peak (0.1 in the paper's runs with prediction errors).
    skip : on a request that does not fit, try the next instead of stopping there. The paper stops.
    age : ageing weight, added as age · arrival to the rank.
    """

    protect: float = 0.0
    skip: bool = False
    age: float = 0.0

    ranges = {"protect": (0, 1), "age": (0, float("inf"))}
    uses = "length"
    guarantee = "total ≤ 9216 · OPT for identical prompts, all at time 0; ≤ 5 · OPT there when max(s + o) ≤ M/2"
    source = "arXiv 2502.07115, Algorithm 1"

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].predicted + self.age * view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        if len(view.running) == 0:
            return START if fits(view, i) else CHANGE
        wait = peak_wait(view, i, (1.0 - self.protect) * view.capacity)
        return SKIP if self.skip and wait > 0 else wait


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
