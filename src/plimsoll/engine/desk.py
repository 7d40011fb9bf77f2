"""The policy's desk in an engine: what it sees of the requests there, and what it answers.

An engine runs by itself; the desk only keeps the policy's view of it up to date and asks. One step of the desk is
one step of the engine: a running request is taken to make one token a step, and is set right by `Desk.sync` where
it did not (chunked prompts, speculative tokens). The newest token of a request is in no step's memory yet: to a policy,
an engine's request is one of the discrete-round model whose prompt is a token shorter, as in the serving host.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config, types

from ..errors import PolicyError
from ..jit import njit
from ..policy.draw import new_dice
from ..policy.protocol import Plan, ask, has, parameters
from ..policy.view import BATCH, INT, INTS, REQUEST, REQUESTS, RUNNING, Columns, History, View, records
from ..predict.belief import one_kind
from ..predict.survival import step as certain
from ..trace import Trace
from .hint import Hint

_ROOM = 64  # requests at first; grows by doubling
_REFUSED = {
    "limit": "takes requests back after a while, which needs the simulator",
    "select": "chooses who takes part in a step, which needs the simulator",
}


class Desk:
    """A policy and a predictor at work in an engine.

    Parameters
    ----------
    policy : as in `plimsoll.simulate`.
    predictor : one that learns while it runs, or a constant; None takes each request's own limit.
    capacity : KV cache, tokens.
    block : tokens per block.
    late : True where the engine hears a step late that a request is done (asynchronous scheduling), so that its
        newest token is in memory too.
    seed : of the policy's random draws.
    compiled : False asks the hooks as plain Python.

    Raises
    ------
    PolicyError
        If the policy cannot be compiled, or needs what an engine does not offer.
    """

    def __init__(
        self,
        policy: Any,
        predictor: Any,
        capacity: int,
        block: int,
        late: bool = False,
        seed: int = 0,
        compiled: bool = True,
    ) -> None:
        self.capacity, self.block, self.step = capacity, block, 0
        self._native = compiled and not getattr(config, "DISABLE_JIT", 0)
        self._unheld = 0 if late else 1
        self.chooses_victims = has(policy, "evict")
        self.learns = has(predictor, "predict") or has(predictor, "learn")
        self._rank, self._admit, self._evict, self._leave = (
            ask(policy, hook, compiled) for hook in ("rank", "admit", "evict", "leave")
        )
        self._predict, self._learn = (ask(predictor, hook, compiled) for hook in ("predict", "learn"))
        self._p = parameters(policy)
        self._q = parameters(predictor) if self.learns else np.zeros(1)
        self._lay_out(policy, predictor, seed)
        self._warm()

    def _lay_out(self, policy: Any, predictor: Any, seed: int) -> None:
        rng = np.random.default_rng(seed)
        one = _alone(1, [1])  # what a predictor plans for: nothing is known yet
        plan: Any = getattr(predictor, "plan", None)
        belief = plan(one, rng) if plan else one_kind(one.output, certain())
        own: Any = getattr(predictor, "columns", None)  # a parameter of that name is no method
        self._own: Callable[[Trace], Any] = own if callable(own) else lambda trace: plan(trace, rng).columns
        self._survival = np.ascontiguousarray(np.vstack([belief.survival, certain()]), np.float64)
        self._certain = len(self._survival) - 1
        self._constant = float(belief.predicted[0]) if plan else math.inf
        facts = np.zeros((0, 1)) if belief.columns is None else belief.columns
        self._facts = np.zeros((_ROOM if len(facts) else 0, facts.shape[1]))
        self._notes = np.zeros(1) if belief.memory is None else np.array(belief.memory, np.float64)
        self.requests, self._free = records(_ROOM, REQUEST), list(range(_ROOM - 1, -1, -1))
        self.running, self.k = records(_ROOM, RUNNING), 0
        self._expose()
        kept = as_engine(policy, self.capacity)
        self._row, self._memory = kept.columns[:1], np.ascontiguousarray(kept.memory, np.float64)
        self._columns = np.repeat(self._row, _ROOM, axis=0)
        self._dice = new_dice(seed)
        self._turn = 0

    def _warm(self) -> None:
        """Ask each hook once, so that nothing is compiled while the engine serves; then forget it."""
        notes, memory, survival = self._notes.copy(), self._memory.copy(), self._survival.copy()
        slots = [self.add(1, 0.0, 2) for _ in range(2)]
        self.start(slots[0], 1)
        self.rank(slots[1], 0.0)
        self.admit(slots[1], self.capacity, 0.0)
        self.victims(0, 1)
        self.sync([slots[0]], [2])
        self.evict(slots[0], 1)
        self.finish(slots[0], 1)
        self.finish(slots[1], None)
        self._notes[:], self._memory[:], self._survival[:] = notes, memory, survival
        self._turn = 0

    def add(
        self,
        prompt: int,
        arrival: float,
        most: int,
        hint: Hint | None = None,
        ids: Sequence[int] = (),
        now: float = 0.0,
    ) -> int:
        """A request has arrived.

        Parameters
        ----------
        prompt : tokens.
        arrival, now : seconds on one clock.
        most : most output tokens that the request allows.
        hint : what the client says about its length.
        ids : the prompt's token ids, for predictors that look at them; none where it cannot be seen.

        Returns
        -------
        The number by which the desk knows the request until it has finished.
        """
        if not self._free:
            self._grow()
        i = self._free.pop()
        r = self.requests[i]
        r.prompt, r.arrival, r.client = prompt - self._unheld, arrival, 0
        r.generated = r.evictions = r.turn = r.kind = 0
        r.scale = 0.0
        if len(self._facts):
            self._facts[i] = self._own(_alone(prompt, ids))[0]
        if len(self._row):
            self._columns[i] = self._row[0]
        r.predicted, r.lower, r.upper = min(self._constant, most), 1.0, float(most)
        if hint and hint.tokens is not None:
            r.predicted = min(max(1.0, hint.tokens), most)
            r.kind = self._certain
            r.lower, r.upper = hint.lower or r.predicted, hint.upper or r.predicted
        elif hint and (hint.lower is not None or hint.upper is not None):
            r.lower, r.upper = hint.lower or 1.0, min(hint.upper or most, most)
            r.predicted, r.kind = math.sqrt(r.lower * r.upper), self._certain
        elif self.learns:
            self._predict(self._history(now), self._q, i)
            r.upper = min(r.upper, most)
            if most <= r.lower:  # the limit is so low that the answer will most likely reach it
                r.predicted, r.lower, r.kind, r.scale = float(most), 1.0, self._certain, 0.0
        return i

    def rank(self, i: int, now: float) -> float:
        """The request's place in the waiting queue, smaller first.

        Raises
        ------
        PolicyError
            If the rank is not a number.
        """
        place = self._rank(self._view(now), self._p, i)
        if math.isnan(place):
            raise PolicyError("the rank of a request is not a number")
        return place

    def admit(self, i: int, free: int, now: float) -> int:
        """The policy's verdict on request i (see `plimsoll.policy`): a prompt of ``free`` tokens would fit."""
        return int(self._admit(self._view(now, free - self._unheld), self._p, i))

    def start(self, i: int, tokens: int) -> None:
        """Request i runs from this step on, with ``tokens`` of context (prompt and what it keeps)."""
        r = self.requests[i]
        if self.k == len(self.running):
            longer = records(2 * self.k, RUNNING)
            longer[: self.k] = self.running
            self.running = longer
            self._expose()
        r.turn = self._turn
        self._turn += 1
        held = tokens - self._unheld
        end = self.step + max(1, math.ceil(r.predicted) - (held - r.prompt))
        self.k = _insert(self._batch, self.k, i, end, held - self.step)

    def evict(self, i: int, output: int) -> None:
        """Request i was preempted with ``output`` tokens made; they will be kept and recomputed."""
        self.k = _remove(self._batch, self.k, i)
        r = self.requests[i]
        r.predicted = max(float(r.predicted), output + 1.0)
        r.lower = max(float(r.lower), output + 1.0)
        r.upper = max(float(r.upper), float(r.lower))
        r.generated = output
        r.evictions += 1

    def withdraw(self, i: int) -> None:
        """Request i does not run after all."""
        self.k = _remove(self._batch, self.k, i)

    def finish(self, i: int, output: int | None, now: float = 0.0) -> None:
        """Request i is gone: finished with ``output`` tokens, or aborted (None), of which nothing is learned."""
        running, self.k = self.k, _remove(self._batch, self.k, i)
        if output is None and self.k == running:
            self._leave(self._view(now), self._p, i)
        if output is not None and self.learns:
            self._learn(self._history(now), self._q, i, output)
        self._free.append(i)

    def advance(self) -> None:
        """A step begins."""
        self.step += 1
        _overdue(self._batch, self.k, self.step)

    def sync(self, ids: list[int], tokens: list[int]) -> None:
        """Set running requests right: each now has ``tokens`` of context (prompt and output so far)."""
        held = np.array(tokens, np.int64) - self._unheld
        _sync(self._batch, self.k, self._asked, np.array(ids, np.int64), held, self.step)

    def blocks_needed(self) -> int:
        """Blocks that the running requests' next tokens need."""
        return int(_blocks_needed(self._batch, self.k, self.step + self._unheld - 1, self.block))

    def victims(self, free: int, need: int, now: float = 0.0) -> list[int]:
        """Whom to preempt, in order, so that ``need`` blocks fit although only ``free`` are free."""
        chosen: list[int] = []
        out = np.zeros(len(self.running), np.int64)
        running, k = self.running[: self.k].copy(), self.k
        while need > free and self.k > 1:
            view = self._view(now, 0, (need - free) * self.block, len(chosen))
            for i in out[: self._evict(view, self._p, out)].tolist():
                held = _held(self._batch, self.k, i, self.step)
                if held < 0:
                    raise PolicyError("evict named a request that is not running")
                free += -(-held // self.block)
                self.k = _remove(self._batch, self.k, i)
                chosen.append(i)
        self.running[:k], self.k = running, k
        return chosen

    def _view(self, now: float, free: int = 0, over: int = 0, evicted: int = 0) -> View:
        return View(
            now, self.step, self.capacity, self.block, free, over, evicted, self._asked, self._batch[: self.k],
            self._survival, self._columns, self._memory, self._dice,
        )  # fmt: skip

    def _history(self, now: float) -> History:
        return History(now, self.step, self._asked, self._batch[: self.k], self._survival, self._facts, self._notes)

    def _expose(self) -> None:
        """The same memory as compiled code takes it fastest: record arrays make it ask Python for their attributes."""
        self._asked, self._batch = self.requests, self.running
        if self._native:
            self._asked, self._batch = self.requests.view(np.ndarray), self.running.view(np.ndarray)

    def _grow(self) -> None:
        n = len(self.requests)
        longer = records(2 * n, REQUEST)
        longer[:n] = self.requests
        self.requests = longer
        self._expose()
        self._free = list(range(2 * n - 1, n - 1, -1))
        self._columns = np.vstack([self._columns, np.repeat(self._row, n, axis=0)])
        if len(self._facts):
            self._facts = np.vstack([self._facts, np.zeros_like(self._facts)])


def _alone(prompt: int, ids: Sequence[int]) -> Trace:
    """One request as a trace, as far as it is known when it arrives."""
    column = np.empty(1, object)
    column[0] = ids
    return Trace(np.zeros(1), np.array([prompt]), np.ones(1, np.int64), more={"prompt_ids": column})


def as_engine(policy: Any, capacity: int = 1 << 20) -> Plan:
    """The policy's memory and the row of columns that each request starts with, in an engine.

    Raises
    ------
    PolicyError
        If the policy needs what an engine does not offer, or what it plans depends on the requests, which an engine
        does not know ahead.
    """
    for hook, reason in _REFUSED.items():
        if has(policy, hook):
            raise PolicyError(f"{type(policy).__name__} {reason}")
    if not hasattr(policy, "plan"):
        return Plan()
    plans: list[Plan] = []
    for lengths in ((1,), (7, 3, 90)):
        probe = records(len(lengths), REQUEST)
        for name in ("prompt", "predicted", "lower", "upper", "arrival"):
            probe[name] = lengths
        plans.append(policy.plan(probe, capacity, np.random.default_rng(0)))
    one, several = plans
    same = one.columns.shape[1:] == several.columns.shape[1:] and bool(np.all(several.columns == one.columns[:1]))
    if not same or not np.array_equal(one.memory, several.memory):
        raise PolicyError(f"{type(policy).__name__} plans for all requests ahead, which needs the simulator")
    return Plan(np.ascontiguousarray(one.columns, np.float64), one.memory)


@njit(INT(BATCH, INT, INT, INT, INT))
def _insert(running: Columns, k: int, i: int, end: int, offset: int) -> int:
    x = k
    while x > 0 and running[x - 1].end > end:
        running[x] = running[x - 1]
        x -= 1
    running[x].id = i
    running[x].end = end
    running[x].offset = offset
    return k + 1


@njit(INT(BATCH, INT, INT))
def _remove(running: Columns, k: int, i: int) -> int:
    """Without request i, if it runs."""
    kept = 0
    for x in range(k):
        if running[x].id != i:
            if kept < x:
                running[kept] = running[x]
            kept += 1
    return kept


@njit(INT(BATCH, INT, INT, INT))
def _held(running: Columns, k: int, i: int, step: int) -> int:
    """Tokens that request i holds, -1 if it does not run."""
    for x in range(k):
        if running[x].id == i:
            return running[x].offset + step
    return -1


@njit(types.void(BATCH, INT, INT))
def _overdue(running: Columns, k: int, step: int) -> None:
    """Who is past the prediction is predicted to need one more token."""
    x = 0
    while x < k and running[x].end <= step:
        running[x].end = step + 1
        x += 1


@njit(INT(BATCH, INT, INT, INT))
def _blocks_needed(running: Columns, k: int, step: int, block: int) -> int:
    """A request that holds a whole number of blocks needs one more for its next token."""
    need = 0
    for x in range(k):
        if (running[x].offset + step) % block == 0:
            need += 1
    return need


@njit(types.void(BATCH, INT, REQUESTS, INTS, INTS, INT))
def _sync(
    running: Columns,
    k: int,
    requests: Columns,
    ids: npt.NDArray[np.int64],
    held: npt.NDArray[np.int64],
    step: int,
) -> None:
    for y in range(len(ids)):
        i = ids[y]
        if _remove(running, k, i) < k:
            left = math.ceil(requests[i].predicted) - (held[y] - requests[i].prompt)
            _insert(running, k - 1, i, step + max(1, left), held[y] - step)
