"""Interval predictions: plan for the longest output, or for the shortest and repair."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..policy import CHANGE, START, Plan, View, peak_wait


class AMax(NamedTuple):
    """MC-SF on the upper end of each request's interval: no overflow, memory kept for the worst case."""

    uses = "interval"
    guarantee = "grows with the ratio of the interval's ends: equal prompts, all at time 0"
    source = "arXiv:2508.14544"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        if not np.all(np.isfinite(requests["upper"])):
            raise InputError("a-max needs an upper bound on every output; use a predictor that gives one, as interval")
        requests["predicted"] = np.minimum(requests["upper"], capacity - requests["prompt"])
        return Plan()

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].predicted

    def admit(self, view: View, i: int) -> int:
        if len(view.running) == 0:
            return START if view.requests[i].prompt <= view.free else CHANGE
        return peak_wait(view, i, view.capacity)


class AMin(NamedTuple):
    """MC-SF on the lower end of each request's interval, raised as tokens appear.

    Overflow evicts the smallest estimate.

    An evicted request is known to need one token more than it had, which is its estimate from then on.
    """

    uses = "interval"
    guarantee = "O(log of the ratio of the interval's ends); O(log M): equal prompts, all at time 0, large memory"
    source = "arXiv:2508.14544; details ours"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        requests["predicted"] = np.clip(requests["lower"], 1, capacity - requests["prompt"])
        return Plan()

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].predicted

    def admit(self, view: View, i: int) -> int:
        if len(view.running) == 0:
            return START if view.requests[i].prompt <= view.free else CHANGE
        return peak_wait(view, i, view.capacity)

    def evict(self, view: View, out: Any) -> int:
        """The smallest max(estimate, tokens so far) goes first; ties by id."""
        chosen, least = -1, 0.0
        for r in view.running:
            tokens = r.offset + view.step - view.requests[r.id].prompt
            estimate = max(view.requests[r.id].predicted, float(tokens))
            if chosen < 0 or estimate < least or (estimate == least and r.id < chosen):
                chosen, least = r.id, estimate
        out[0] = chosen
        return 1
