"""Policies that use every hook of the protocol, to see that the serving host asks it."""

from typing import Any, NamedTuple

import numpy as np

from plimsoll.policy import CHANGE, NEVER, RERANK, START, STOP, Plan, View, greedy_wait


class Everybody(NamedTuple):
    """First come, first served; every running request takes part."""

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        return greedy_wait(view, i, 0.0)

    def select(self, view: View, out: Any) -> int:
        for x in range(len(view.running)):
            out[x] = view.running[x].id
        return len(view.running)


class EveryOther(NamedTuple):
    """First come, first served; in each step half of the running requests take part, in turn."""

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        return greedy_wait(view, i, 0.0)

    def select(self, view: View, out: Any) -> int:
        count = 0
        for r in view.running:
            if (r.id + view.step) % 2 == 0:
                out[count] = r.id
                count += 1
        return count


class Nobody(NamedTuple):
    """Nobody ever starts, or those who did never run."""

    starts: int = 0

    def rank(self, view: View, i: int) -> float:
        return 0.0

    def admit(self, view: View, i: int) -> int:
        return greedy_wait(view, i, 0.0) if self.starts == 1 else STOP

    def select(self, view: View, out: Any) -> int:
        return 0


class Alarm(NamedTuple):
    """One at a time, nobody before time 5; then the order turns round, and at 7 who runs gives its memory back.

    Its memory: whether it has turned the order, and whether it has taken back.
    """

    def plan(self, requests: Any, capacity: int, rng: Any) -> Plan:
        return Plan(memory=np.zeros(2))

    def rank(self, view: View, i: int) -> float:
        return -float(i) if view.memory[0] == 1.0 else float(i)

    def admit(self, view: View, i: int) -> int:
        if view.now < 5.0 or len(view.running) > 0:
            return CHANGE
        if view.memory[0] == 0.0:
            view.memory[0] = 1.0
            return RERANK
        return START

    def evict(self, view: View, out: Any) -> int:
        if view.now < 7.0 or len(view.running) == 0:
            return 0
        view.memory[1] = 1.0
        out[0] = view.running[0].id
        return 1

    def wake(self, view: View) -> float:
        if view.now < 5.0:
            return 5.0
        return 7.0 if view.memory[1] == 0.0 else NEVER
