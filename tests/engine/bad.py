"""Policies and predictors that go wrong, for the tests of what happens then."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from plimsoll import Trace
from plimsoll.policy import View, peak_wait
from plimsoll.policy.view import History
from plimsoll.predict import Law
from plimsoll.predict.belief import Belief


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


class Slow(NamedTuple):
    """Takes some milliseconds for every answer."""

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        total = float(view.step)
        for _ in range(300_000):
            total = math.sin(total)
        return peak_wait(view, i, view.capacity) if total < 2.0 else 0


class Forgets(NamedTuple):
    """A predictor that fails when the tenth request has finished."""

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        return Law().plan(trace, rng)._replace(memory=np.zeros(1))

    def predict(self, history: History, i: int) -> None:
        history.requests[i].predicted = 100.0

    def learn(self, history: History, i: int, output: int) -> None:
        history.memory[0] += 1.0
        history.requests[i].predicted = 1 // (10 - int(history.memory[0]))
