"""Smallest volume first."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..policy import CHANGE, START, View, fits, greedy_wait, peak_wait, reserved_wait, volume


class Svf(NamedTuple):
    """Smallest volume first: memory × time of a request decides its place.

    reserve : admit while the final sizes of all running requests fit together (the conservative form).
    engine : admit what fits now and evict the largest volume on overflow, as an engine with priorities does.
    protect : share of M withheld from the test of the future peak.
    age : ageing weight, added as age · arrival to the rank.

    With the predictor ``one-bit`` this is 1-bit SVF: one queue on a proxy volume.
    """

    reserve: bool = False
    engine: bool = False
    protect: float = 0.0
    age: float = 0.0

    ranges = {"protect": (0, 1), "age": (0, float("inf"))}
    uses = "length"
    guarantee = "total ≤ (1 + 2/(1 − α)) · OPT with α = max(s + o)/M, all at time 0, exact lengths"
    source = "arXiv 2606.22327, Theorem 3.2"

    def rank(self, view: View, i: int) -> float:
        r = view.requests[i]
        return volume(r.prompt, r.predicted) + self.age * r.arrival

    def admit(self, view: View, i: int) -> int:
        if len(view.running) == 0:
            return START if fits(view, i) else CHANGE
        if self.engine:
            return greedy_wait(view, i, self.protect)
        capacity = (1.0 - self.protect) * view.capacity
        return reserved_wait(view, i, capacity) if self.reserve else peak_wait(view, i, capacity)

    def evict(self, view: View, out: Any) -> int:
        """The largest (rank, arrival) goes first."""
        worst, largest = -1, -1.0
        for r in view.running:
            size = volume(view.requests[r.id].prompt, view.requests[r.id].predicted)
            size += self.age * view.requests[r.id].arrival
            if size > largest or (size == largest and r.id > worst):
                worst, largest = r.id, size
        out[0] = worst
        return 1
