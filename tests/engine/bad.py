"""Policies that go wrong, for the tests of what happens then."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from plimsoll.policy import View


class Raises(NamedTuple):
    """Divides by zero once three requests run."""

    def rank(self, view: View, i: int) -> float:
        return 1.0

    def admit(self, view: View, i: int) -> int:
        return 0 if len(view.running) < 3 else 1 // (view.evicted - view.evicted)


class Refuses(NamedTuple):
    """Never starts anybody."""

    def rank(self, view: View, i: int) -> float:
        return 1.0

    def admit(self, view: View, i: int) -> int:
        return 1 << 40


class Muddled(NamedTuple):
    """Ranks long prompts without a number."""

    def rank(self, view: View, i: int) -> float:
        return np.nan if view.requests[i].prompt > 40 else 1.0


class Rude(NamedTuple):
    """Names a victim that does not run."""

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def evict(self, view: View, out: Any) -> int:
        out[0] = 1 << 30
        return 1


class Hopeless(NamedTuple):
    """Divides by zero whenever it is asked."""

    def rank(self, view: View, i: int) -> float:
        return 1.0 / (view.step - view.step)
