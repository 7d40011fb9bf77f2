"""The rounds host as a user meets it: a trace in seconds in, a result in rounds out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CapacityError, InputError, PolicyError
from ..policy.draw import new_dice
from ..policy.protocol import ask, failed, parameters
from ..policy.view import RUNNING, records
from ..progress import Progress, call
from ..trace import Floats, Trace
from . import rounds as loop
from .batch import State
from .prepare import Prepared, prepare
from .result import Result

_UNSTABLE = {
    loop.STUCK: "the policy starts nobody although nothing more will happen",
    loop.CHURN: "the cache overflows again and again without a completion",
    loop.LATE: "the cap on rounds was reached",
}


@dataclass(frozen=True)
class Rounds:
    """The discrete-round model with a KV cache of ``capacity`` tokens.

    Attributes
    ----------
    capacity : M, tokens.
    rounds_per_s : an arrival at second t falls on round floor(t · rounds_per_s).
    max_rounds : a run that goes on beyond this round ends as "unstable".
    """

    capacity: int
    rounds_per_s: float = 20.0
    max_rounds: int = 1 << 39
    name = "rounds"
    unit = "rounds"

    def arrivals(self, trace: Trace) -> Floats:
        """The round on which each request arrives, shape (n,)."""
        return np.floor(trace.arrival * self.rounds_per_s + 1e-9)

    def run(
        self, trace: Trace, policy: Any, predictor: Any, seed: int, compiled: bool, progress: Progress | None
    ) -> Result:
        """See ``plimsoll.simulate``."""
        if not self.rounds_per_s > 0:
            raise InputError(f"--rounds-per-s must be above 0, not {self.rounds_per_s}")
        if hasattr(type(policy), "select"):
            raise PolicyError(
                f"{type(policy).__name__} selects who takes part in a step: run it in the iterations host"
            )
        ready = prepare(trace, self.arrivals(trace), policy, predictor, self.capacity, seed)
        state = self._state(ready, seed)
        hooks = [ask(policy, hook, compiled) for hook in ("rank", "admit", "evict", "limit", "wake")]
        hooks += [ask(predictor, hook, compiled) for hook in ("predict", "learn")]
        run = loop.run if compiled else getattr(loop.run, "py_func", loop.run)
        numbers = (parameters(policy), ready.predictor_parameters, state)
        recompute = bool(getattr(policy, "recompute", False))
        began = time.perf_counter()
        try:
            limits = (recompute, self.capacity, self.max_rounds)
            done = call(run, *hooks, *numbers, *limits, total=len(trace), progress=progress)
        except (ArithmeticError, IndexError, ValueError, TypeError) as error:
            raise failed(error, policy) from error
        return self._result(trace, policy, ready, done, time.perf_counter() - began)

    def _state(self, ready: Prepared, seed: int) -> State:
        room = int(min(len(ready.output), self.capacity // (int(ready.requests["prompt"].min()) + 1))) + 1
        running = records(room, RUNNING)
        due, out = np.zeros((2, room), np.int64)
        return State(
            ready.requests, ready.output, running, due, out, ready.survival, ready.plan.columns, ready.plan.memory,
            ready.facts, ready.notes, new_dice(seed),
        )  # fmt: skip

    def _result(self, trace: Trace, policy: Any, ready: Prepared, done: Any, wall_s: float) -> Result:
        status, fault, times, attempts, figures = done
        requests = ready.requests
        _raise(status, int(fault), requests, policy, self.capacity)
        peak, area, last, overflows, events = figures.tolist()
        back = np.argsort(ready.order, kind="mergesort")
        seen = np.where(times >= 0, times, np.nan)[back]
        attempts[:, 0] = ready.order[attempts[:, 0]]
        length = max(1.0, last - requests["arrival"][0])
        columns = (np.array(requests[name])[back] for name in ("arrival", "predicted", "evictions"))
        arrival, predicted, evictions = columns
        start, first_token, finish = seen.T
        return Result(
            "rounds", arrival, start, first_token, finish, trace.prompt, trace.output, predicted, evictions, attempts,
            self.capacity, int(peak), area / (self.capacity * length), wall_s,
            "unstable" if status in _UNSTABLE else "ok", _UNSTABLE.get(status, ""), trace.client,
            more={"overflows": overflows, "events": events},
        )  # fmt: skip


def _raise(status: int, fault: int, requests: Any, policy: Any, capacity: int) -> None:
    name = type(policy).__name__
    if status == loop.OVERFULL:
        raise CapacityError(
            f"{name} starts request {fault} (prompt {requests[fault][0]}) and overfills the cache of {capacity} tokens"
        )
    if status == loop.NOT_RUNNING:
        raise PolicyError(
            f"{name}.evict named {fault} requests of which not all are running, or none while the cache overflows"
        )
    if status == loop.NAN:
        raise PolicyError(f"{name}.rank of request {fault} (prompt {requests[fault][0]}) is not a number")
    if status == loop.STOPPED:
        raise KeyboardInterrupt
