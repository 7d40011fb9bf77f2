"""The rounds host as a user meets it: a trace in seconds in, a result in rounds out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CapacityError, InputError, PolicyError
from ..jit import native, plain
from ..named import called
from ..policy.draw import new_dice
from ..policy.protocol import ask, failed, has, parameters
from ..policy.view import RUNNING, records
from ..progress import Progress, call
from ..trace import Floats, Ints, Trace
from . import rounds as loop
from .batch import CLOCK, COURSE, FOREVER, State
from .prepare import Prepared, prepare
from .queue import empty
from .result import Result

MOST_ROUNDS = 1 << 39
"""Rounds that are counted: beyond it the figures of a run would no longer be exact."""
_REPLAYED = 20_000  # a failed run is repeated as plain Python, which knows lines, up to this many requests
UNSTABLE = {
    loop.STUCK: "the policy starts nobody although nothing more will happen",
    loop.CHURN: "requests give their memory back again and again, and none gets further",
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
    max_rounds: int = MOST_ROUNDS
    name = "rounds"
    unit = "rounds"
    basis = None

    def arrivals(self, trace: Trace) -> Floats:
        """The round on which each request arrives, shape (n,)."""
        return np.floor(trace.arrival * self.rounds_per_s + 1e-9)

    def run(
        self, trace: Trace, policy: Any, predictor: Any, seed: int, compiled: bool, progress: Progress | None
    ) -> Result:
        """See ``plimsoll.simulate``."""
        if not 0 < self.rounds_per_s < np.inf:
            raise InputError(f"--rounds-per-s must be above 0 and finite, not {self.rounds_per_s}")
        last = float(trace.arrival.max()) * self.rounds_per_s
        if last > MOST_ROUNDS:
            raise InputError(f"{trace.name}: the last arrival would be in round {last:.3g}, beyond {MOST_ROUNDS}")
        if hasattr(type(policy), "select"):
            raise PolicyError(f"{called(policy)} selects who takes part in a step: run it with --prefill charged")
        ready = prepare(trace, self.arrivals(trace), policy, predictor, self.capacity, seed)
        state = first_state(ready, policy, predictor, self.capacity, seed)
        state.clock.now = ready.requests["arrival"][0]
        hooks = [ask(policy, hook, compiled) for hook in ("rank", "admit", "evict", "limit", "wake")]
        hooks += [ask(predictor, hook, compiled) for hook in ("predict", "learn")]
        run = native(loop.run) if compiled else plain(loop.run)
        began = time.perf_counter()
        try:
            call(run, *hooks, state, self.max_rounds, total=len(trace), progress=progress)
            while state.clock[0].status == loop.LOG_FULL:
                state = more_log(state)
                call(run, *hooks, state, self.max_rounds, total=len(trace), progress=progress)
        except (ArithmeticError, IndexError, ValueError, TypeError) as error:
            if compiled and state.clock[0].arrived <= _REPLAYED:
                with np.errstate(divide="raise", invalid="raise"):
                    self.run(trace, policy, predictor, seed, False, None)  # raises the same, with the line
            raise failed(error, policy) from error
        wall_s = time.perf_counter() - began
        refuse(state, policy, self.capacity)
        return self._result(trace, ready, state, wall_s)

    def _result(self, trace: Trace, ready: Prepared, state: State, wall_s: float) -> Result:
        clock, requests = state.clock[0], ready.requests
        back = np.argsort(ready.order, kind="mergesort")
        times = (state.course[name][back] for name in ("start", "first_token", "finish"))
        start, first_token, finish = (np.where(column >= 0, column, np.nan) for column in times)
        columns = (np.array(requests[name])[back] for name in ("arrival", "predicted", "evictions"))
        arrival, predicted, evictions = columns
        length = max(1.0, clock.now - requests["arrival"][0])
        return Result(
            "rounds", arrival, start, first_token, finish, trace.prompt, trace.output, predicted, evictions,
            attempts(state, ready.order), self.capacity, int(clock.peak),
            float(clock.area) / (self.capacity * length), wall_s,
            "unstable" if clock.status in UNSTABLE else "ok", UNSTABLE.get(int(clock.status), ""), trace.client,
            more={"overflows": int(clock.overflows), "events": int(clock.events)},
        )  # fmt: skip


def first_state(
    ready: Prepared, policy: Any, predictor: Any, capacity: int, seed: int, own: int = 0, prefill: int = 0
) -> State:
    """What an event loop works on, before the first event; ``own`` are further bits of hooks."""
    n = len(ready.output)
    room = int(min(n, capacity // max(1, int(ready.requests["prompt"].min()) + 1 - prefill))) + 1
    due, out = np.zeros((2, room), np.int64)
    own |= loop.LIMITS * has(policy, "limit") | loop.WAKES * has(policy, "wake")
    own |= loop.LEARNS * (has(predictor, "predict") or has(predictor, "learn"))
    clock = records(1, CLOCK)
    clock.time = ready.requests["arrival"][0]
    clock.due, clock.head = FOREVER, -1
    course = records(n, COURSE)
    course.output, course.start, course.first_token, course.finish = ready.output, -1, -1, -1
    return State(
        capacity, own, bool(getattr(policy, "recompute", False)), prefill, clock, ready.requests, course,
        empty(n), np.empty((room, 4), np.int64), records(room, RUNNING), due, out, ready.survival, parameters(policy),
        *ready.plan, ready.predictor_parameters, ready.facts, ready.notes, new_dice(seed),
    )  # fmt: skip


def more_log(state: State) -> State:
    """The same state with twice the room in the log, ready to go on."""
    state.clock[0].status = loop.OK
    return state._replace(log=np.concatenate([state.log, np.empty_like(state.log)]))


def attempts(state: State, order: Ints) -> Ints:
    """Every attempt that ended, shape (a, 4): first those that ended in an eviction, then the others by id."""
    course = state.course
    done = np.flatnonzero(course["finish"] >= 0)
    last = np.empty((len(done), 4), np.int64)
    last[:, 0], last[:, 3] = done, state.requests["generated"][done]
    last[:, 1], last[:, 2] = course["start"][done], course["finish"][done]
    log = np.concatenate([state.log[: state.clock[0].logged], last])
    log[:, 0] = order[log[:, 0]]
    return log


def refuse(state: State, policy: Any, capacity: int) -> None:
    """Raise what a bad answer of the policy calls for."""
    status, fault, name = state.clock[0].status, int(state.clock[0].fault), type(policy).__name__
    if status == loop.OVERFULL:
        prompt = state.requests[fault].prompt
        raise CapacityError(f"{name} starts request {fault} (prompt {prompt}) and overfills the {capacity} tokens")
    if status == loop.NOT_RUNNING:
        raise PolicyError(f"{name}.evict named {fault} requests while the cache overflows: not running ones, or none")
    if status == loop.NAN:
        raise PolicyError(f"{name}.rank of request {fault} (prompt {state.requests[fault].prompt}) is not a number")
    if status == loop.STOPPED:
        raise KeyboardInterrupt
