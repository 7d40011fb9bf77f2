"""Known types: the fluid linear program, solved again at every decision. Ours."""

from __future__ import annotations

from math import floor
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..jit import bare
from ..policy import CHANGE, START, Plan, View, fits, peak_wait, volume

MOST = 64  # types

# Memory: 3 figures of the whole, then 3 of each type, by ascending volume.
_FIRST, _PAID, _LONGEST, _HEAD = 0, 1, 2, 3  # step of the first arrival; starts are paid for up to here; H, steps
_CAME, _WAITING, _VOLUME, _EACH = 0, 1, 2, 3  # after the first step; now; token-steps


class ReSolve(NamedTuple):
    """Smallest volume first among known types, the larger ones only as fast as a fluid of all types would start them.

    saved : turns that nobody took are kept for this share of H.

    Types are the distinct pairs of prompt and predicted output, at most 64. With q_k of type k waiting, λ_k arriving
    per step and v_k its volume, starting x_k per step over the next H steps leaves Σ (q_k + λ_k·H − x_k·H) waiting.
    H is the longest predicted output. So the fluid

        maximises Σ x_k  subject to  Σ v_k·x_k ≤ M  and  0 ≤ x_k ≤ q_k/H + λ_k.

    Filling the smallest volumes first is optimal. Suppose type i could start faster while a larger type j takes
    memory: moving ε tokens from j to i changes Σ x by ε/v_i − ε/v_j > 0.

    The head of the queue is the smallest type k that waits, so the smaller ones claim Σ λ_j·v_j and leave type k the
    rest. If the rest covers all of x_k, k starts whenever it fits to its predicted end; if not, one start follows
    another after v_k/rest steps, at most H. λ is counted from the arrivals after the first step with any. A machine
    that is empty always starts the head.

    This is not the algorithm of the first version of arXiv 2502.07115, which claimed constant regret: that one is
    not known to us. Nothing is proved about this one.
    """

    saved: float = 0.25

    ranges = {"saved": (0.0, float("inf"))}
    uses = "type"
    guarantee = "none"
    source = "ours: docs/policies.md"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        rows = np.column_stack([requests["prompt"], requests["predicted"]]).astype(np.float64)
        pairs, label = np.unique(rows, axis=0, return_inverse=True)
        if len(pairs) > MOST:
            raise InputError(
                f"re-solve: {len(pairs):,} types, pairs of prompt and predicted output; feasible with at most {MOST}"
            )
        work = np.array([volume(prompt, predicted) for prompt, predicted in pairs])
        order = np.argsort(work, kind="mergesort")
        memory = np.zeros(_HEAD + _EACH * len(pairs))
        memory[_FIRST] = -1.0
        memory[_LONGEST] = np.ceil(pairs[:, 1]).max()
        memory[_HEAD + _VOLUME :: _EACH] = work[order]
        return Plan(np.argsort(order, kind="mergesort")[label.ravel()].astype(np.float64)[:, None], memory)

    def rank(self, view: View, i: int) -> float:
        """The place of the type by volume."""
        at = _HEAD + _EACH * int(view.columns[i, 0])
        view.memory[at + _WAITING] += 1.0
        if view.memory[_FIRST] < 0.0:
            view.memory[_FIRST] = view.step
        if view.requests[i].evictions == 0 and view.step > view.memory[_FIRST]:
            view.memory[at + _CAME] += 1.0
        return view.columns[i, 0]

    def admit(self, view: View, i: int) -> int:
        at = _HEAD + _EACH * int(view.columns[i, 0])
        pace = spacing(view, at)
        wait = floor(view.memory[_PAID]) - view.step if pace > 0.0 else 0
        if len(view.running) == 0:
            wait = START if fits(view, i) else CHANGE
        elif wait <= 0:
            wait = peak_wait(view, i, view.capacity)
        if wait == START:
            kept = view.step - self.saved * view.memory[_LONGEST]
            view.memory[_PAID] = max(view.memory[_PAID], kept) + pace
            view.memory[at + _WAITING] -= 1.0
        return wait


@bare()
def spacing(view: View, at: int) -> float:
    """Steps from one start of the type at ``at`` to the next in the fluid's solution; 0 where all of it may start."""
    span = max(1.0, view.step - view.memory[_FIRST])
    rest = float(view.capacity)
    for smaller in range(_HEAD, at, _EACH):
        rest -= view.memory[smaller + _CAME] / span * view.memory[smaller + _VOLUME]
    window, each = view.memory[_LONGEST], view.memory[at + _VOLUME]
    if each * (view.memory[at + _WAITING] / window + view.memory[at + _CAME] / span) <= rest:
        return 0.0
    return min(each / rest, window) if rest > 0.0 else window
