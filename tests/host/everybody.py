"""First come, first served, naming everybody for each step."""

from typing import Any, NamedTuple

from plimsoll.policy import View, greedy_wait


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
