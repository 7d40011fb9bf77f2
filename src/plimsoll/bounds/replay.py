"""A schedule as a policy, so that the rounds host can replay and confirm it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..host.discrete import Rounds
from ..host.result import Result
from ..policy import START, View
from ..policy.protocol import Plan
from ..trace import Trace
from .problem import Ints, Problem


class _Replay(NamedTuple):
    def rank(self, view: View, i: int) -> float:
        return view.columns[i, 0]

    def admit(self, view: View, i: int) -> int:
        return START if view.columns[i, 0] <= view.now else int(view.columns[i, 0]) - view.step


class Replay(_Replay):
    """Starts every request at its epoch of a given schedule. ``start`` has shape (n,), by arrival, then row."""

    start: Ints

    def plan(self, requests: Any, capacity: int, dice: Any) -> Plan:
        """The schedule as the policy's column."""
        return Plan(self.start[:, None].astype(np.float64))


def replayed(problem: Problem, start: Ints) -> tuple[Trace, Rounds, Result]:
    """The requests, arrivals in rounds, a rounds host, and what it makes of them with the schedule as a policy."""
    from ..predict.load import load_predictor

    policy = Replay()
    policy.start = start[np.argsort(problem.arrival, kind="mergesort")]
    trace = Trace(problem.arrival.astype(np.float64), problem.prompt, problem.output)
    host = Rounds(problem.capacity, rounds_per_s=1.0)
    return trace, host, host.run(trace, policy, load_predictor("exact"), 0, True, None)


def confirmed(problem: Problem, start: Ints) -> bool:
    """True if the rounds host, given the schedule as a policy, finishes every request when the schedule says."""
    _, _, result = replayed(problem, start)
    return bool(np.array_equal(result.finish, start + problem.output)) and result.peak_tokens <= problem.capacity
