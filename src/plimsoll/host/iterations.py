"""The iterations host: batches that take time by their tokens, with a prefill iteration of its own.

A request started for a step charges its prompt in that step and makes no token; then one token a step, as long as
the policy lets it take part. One that sits out keeps its memory. A new batch forms when the last one is done.
Its step lasts as a line in its tokens says, as in the paper, or as any law of the serving host does.

References
----------
Ao, Luo, Simchi-Levi, Wang (2025), arXiv:2504.11320, §2. d_0 = fixed_s, d_1 = per_token_s.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..jit import native, plain
from ..policy.fluid import LinearStep
from ..policy.protocol import ask, failed, has
from ..progress import Progress, call
from ..steptime import StepTime
from ..steptime.kernel import pack
from ..trace import Floats, Trace
from . import batches as loop
from .discrete import UNSTABLE, attempts, first_state, more_log, refuse
from .prepare import prepare
from .result import Result


@dataclass(frozen=True)
class Iterations:
    """Batch iterations over a KV cache of ``capacity`` tokens; times are in seconds.

    Attributes
    ----------
    capacity : M, tokens.
    step : seconds of an iteration.
    max_steps : a run that goes on beyond this iteration ends as "unstable".
    """

    capacity: int
    step: LinearStep | StepTime = field(default_factory=LinearStep)
    max_steps: int = 50_000_000
    name = "iterations"
    unit = "s"

    @property
    def law(self) -> Floats:
        """Seconds of an iteration as the loop reads them, see ``plimsoll.steptime.kernel``."""
        if isinstance(self.step, StepTime):
            return self.step.coefficients
        fixed, each = float(self.step.fixed_s), float(self.step.per_token_s)
        alone, beside = [fixed, each, 0.0, 0.0, 0.0], [fixed, 0.0, each, each, 0.0, 0.0, 0.0, 0.0]
        return pack(each, alone, beside, ([1.0], [fixed]), ([1.0], [0.0]), ([1.0], [0.0]))

    @property
    def basis(self) -> str:
        """What the seconds stand on."""
        if isinstance(self.step, StepTime):
            return f"{self.step.name}, {self.step.basis}"
        return f"linear:{self.step.fixed_s:g}:{self.step.per_token_s:g}, given"

    def arrivals(self, trace: Trace) -> Floats:
        """When each request arrives, shape (n,), seconds."""
        return np.asarray(trace.arrival, dtype=np.float64)

    def run(
        self, trace: Trace, policy: Any, predictor: Any, seed: int, compiled: bool, progress: Progress | None
    ) -> Result:
        """See ``plimsoll.simulate``."""
        ready = prepare(trace, self.arrivals(trace), policy, predictor, self.capacity, seed)
        own = loop.SELECTS * has(policy, "select")
        state = first_state(ready, policy, predictor, self.capacity, seed, own, prefill=1)
        hooks = [ask(policy, hook, compiled) for hook in ("rank", "admit", "evict", "limit", "select", "wake")]
        hooks += [ask(predictor, hook, compiled) for hook in ("predict", "learn")]
        run = native(loop.run) if compiled else plain(loop.run)
        paused, first, spans = np.zeros(len(trace), np.bool_), np.full(len(trace), -1), np.zeros((1024, 2))
        start = time.perf_counter()
        try:
            while True:
                steps = (state, paused, first, spans, self.law, self.max_steps)
                call(run, *hooks, *steps, total=len(trace), progress=progress)
                if state.clock[0].status != loop.LOG_FULL:
                    break
                state, spans = more_log(state), np.concatenate([spans, np.zeros_like(spans)])
        except (ArithmeticError, IndexError, ValueError, TypeError) as error:
            raise failed(error, policy) from error
        wall_s = time.perf_counter() - start
        refuse(state, policy, self.capacity)
        clock, requests = state.clock[0], ready.requests
        began, ended = spans[: clock.now + 1].T
        back = np.argsort(ready.order, kind="mergesort")
        started = _at(began, np.where(first >= 0, first + 1, -1))[back]
        first_token, finish = _at(ended, state.course["first_token"])[back], _at(ended, state.course["finish"])[back]
        length = max(float(ended[-1] - requests["arrival"][0]), 1e-300)
        return Result(
            self.unit, trace.arrival, started, first_token, finish, trace.prompt, trace.output,
            np.array(requests["predicted"])[back], np.array(requests["evictions"])[back],
            attempts(state, ready.order), self.capacity, int(clock.peak),
            float(clock.area) / (self.capacity * length), wall_s,
            "unstable" if clock.status in UNSTABLE else "ok", UNSTABLE.get(int(clock.status), ""), trace.client,
            more={"overflows": int(clock.overflows), "events": int(clock.events), "steps": int(clock.now)},
        )  # fmt: skip


def _at(instants: Floats, steps: Any) -> Floats:
    """When each step was, NaN for those that never were."""
    known = (steps >= 0) & (steps < len(instants))
    return np.where(known, instants[np.where(known, steps, 0)], np.nan)
