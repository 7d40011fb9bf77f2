"""The least that can be known: the law of the outputs finished so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..jit import njit
from ..trace import Trace
from .belief import Belief, require
from .hazard import bucket_of, censor, mean_of, observe, quantile_of, renew, start_curve
from .survival import POINTS

if TYPE_CHECKING:
    from ..policy.view import History

SCALE = 512.0  # tokens; the grid then reaches from 2 to 78,000
MEDIAN, SIGMA = 200.0, 1.2  # of the lognormal law believed before anything finished, worth one request
ENOUGH = 30.0  # requests a kind must have finished to be asked; until then the law of all is
POOL = 10.0  # requests' worth of the law of all in a kind's own


class Law(NamedTuple):
    """The survival curve of all outputs, learned from finished and running requests alone.

    A request is predicted the mean output of its kind so far: the same for all, unless clients or prompt
    buckets are kept apart. The curve is relative to a fixed length, so requests that wait profit from what is
    learned while they do. Nothing is known at the start but a vague lognormal law worth one request.

    Parameters
    ----------
    half_life : finished requests after which an observation counts half, at least 1.
    clients : laws kept apart by client (client modulo this); 1 for one law of all.
    buckets : laws kept apart by the prompt's length, in powers of four; 1 for one law of all.

    References
    ----------
    Kaplan and Meier (1958); as a predictor for admission by risk it is ours.
    """

    half_life: float = 2000.0
    clients: int = 1
    buckets: int = 1

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """Lay out one row of counts for each kind, and one for all requests, which comes last."""
        require(1 <= self.half_life < np.inf, "law", "half_life", self.half_life, "at least 1")
        require(1 <= self.clients <= 1024, "law", "clients", self.clients, "in [1, 1024]")
        require(1 <= self.buckets <= 16, "law", "buckets", self.buckets, "in [1, 16]")
        rows = self.clients * self.buckets + 1
        survival = np.tile(start_curve(MEDIAN, SIGMA, SCALE), (rows, 1))
        memory = np.concatenate([np.ones(rows), np.zeros(rows), survival[0], np.zeros((rows + 1) * POINTS)])
        kind = np.full(len(trace), rows - 1, np.int64)
        said = np.full(len(trace), SCALE)
        return Belief(said, kind, survival, np.ones(len(trace)), np.full(len(trace), np.inf), memory=memory)

    def predict(self, history: History, i: int) -> None:
        """The law of the request's kind, once enough of it has finished; its middle four fifths as bounds."""
        rows = self.clients * self.buckets + 1
        r = history.requests[i]
        kind = own_kind(history, i, self.clients, self.buckets)
        if history.memory[rows + kind] < ENOUGH:
            kind = rows - 1
        r.kind = kind
        r.predicted = max(1.0, SCALE * mean_of(history.survival[kind]))
        r.scale = SCALE
        r.lower = max(1.0, SCALE * quantile_of(history.survival[kind], 0.1))
        r.upper = max(r.lower, SCALE * quantile_of(history.survival[kind], 0.9))

    def learn(self, history: History, i: int, output: int) -> None:
        """Renew the curve of the request's kind and the curve of all."""
        rows = self.clients * self.buckets + 1
        kind = own_kind(history, i, self.clients, self.buckets)
        count_in(history, rows - 1, rows, output, self.half_life, self.clients, self.buckets)
        if rows > 2:
            count_in(history, kind, rows, output, self.half_life, self.clients, self.buckets)


@njit()
def own_kind(history: History, i: int, clients: int, buckets: int) -> int:
    """The kind that request i belongs to."""
    r = history.requests[i]
    return (r.client % clients) * buckets + bucket_of(r.prompt, buckets)


@njit()
def count_in(history: History, k: int, rows: int, output: int, half_life: float, clients: int, buckets: int) -> None:
    """Count an output in row ``k`` and renew its curve; the running requests of the kind are censored."""
    memory = history.memory
    clock, finished = memory[:rows], memory[rows : 2 * rows]
    start = memory[2 * rows : 2 * rows + POINTS]
    deaths = memory[2 * rows + POINTS : 2 * rows + (rows + 1) * POINTS].reshape(rows, POINTS)
    reached = memory[2 * rows + (rows + 1) * POINTS :]
    finished[k] += 1.0
    observe(deaths, clock, k, output / SCALE, half_life)
    reached[:] = 0.0
    for x in range(len(history.running)):
        r = history.running[x]
        if k == rows - 1 or own_kind(history, r.id, clients, buckets) == k:
            tokens = history.step + r.offset - history.requests[r.id].prompt
            censor(reached, max(0, tokens) / SCALE)
    if k == rows - 1:
        renew(history.survival[k], deaths[k], clock[k], reached, start, 1.0)
    else:
        renew(history.survival[k], deaths[k], clock[k], reached, history.survival[rows - 1], POOL)
