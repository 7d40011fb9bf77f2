"""First come, first served, and its guarded forms."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..policy import CHANGE, START, View, cleared, fits, greedy_wait, peak_wait, reserved_wait


class Fcfs(NamedTuple):
    """First come, first served: admit what fits now, evict the newest.

    watermark : share of M kept free at admission, as vLLM's option of that name.
    recompute : keep an evicted request's tokens and rebuild their KV, instead of starting over.
    """

    watermark: float = 0.0
    recompute: bool = False

    ranges = {"watermark": (0, 1)}
    uses = "none"
    guarantee = "none"
    source = "vLLM's default"

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        return greedy_wait(view, i, self.watermark)


class FcfsReserve(NamedTuple):
    """First come, first served, reserving prompt + predicted output for every running request.

    An empty machine always takes the head, else a prediction above M would block for ever.
    """

    uses = "length"
    guarantee = "none"
    source = "the conservative admission of early engines"

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        if len(view.running) == 0:
            return START if fits(view, i) else CHANGE
        return reserved_wait(view, i, view.capacity)


class McBenchmark(NamedTuple):
    """First come, first served with MC-SF's test of the future peak."""

    protect: float = 0.0

    ranges = {"protect": (0, 1)}
    uses = "length"
    guarantee = "none"
    source = "arXiv 2502.07115"

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        if len(view.running) == 0:
            return START if fits(view, i) else CHANGE
        return peak_wait(view, i, (1.0 - self.protect) * view.capacity)


class AlphaProtection(NamedTuple):
    """Greedy first come, first served below (1 − α)M; on overflow all running requests are cleared.

    Needs nothing but current use. Clearing everyone can repeat for ever: such a run ends "unstable". An empty machine
    always takes the head, else a prompt above (1 − α)M would block for ever.
    """

    alpha: float = 0.25

    ranges = {"alpha": (0, 1)}
    uses = "none"
    guarantee = "none: may livelock"
    source = "arXiv 2502.07115, experiments"

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        return START if fits(view, i, self.alpha) else CHANGE

    def evict(self, view: View, out: Any) -> int:
        for x in range(len(view.running)):
            out[x] = view.running[x].id
        return len(view.running)


class AlphaBeta(NamedTuple):
    """α-protection that on overflow clears each running request with probability β, until the rest fit."""

    alpha: float = 0.2
    beta: float = 0.1

    ranges = {"alpha": (0, 1), "beta": (0.001, 1)}
    uses = "none"
    guarantee = "none"
    source = "arXiv 2502.07115, experiments"

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        return START if fits(view, i, self.alpha) else CHANGE

    def evict(self, view: View, out: Any) -> int:
        return cleared(view, self.beta, out)
