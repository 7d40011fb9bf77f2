"""The time-indexed linear program with HiGHS (extra ``optimum``: SciPy), columns on demand, certified in integers.

The program. Identical requests are merged into kinds k of n_k requests; x_kt >= 0 of them start at epoch t, at
cost w (t + o - a) each, and hold s + u tokens in round t + u while u <= o. Every kind starts n_k times and no round
holds more than M. Any schedule is such an x, so the least cost of x is a lower bound.

*Windows.* A schedule that costs at most U, the best known, starts no request of kind k after a + (U - sum w o) / w,
since every other request costs w o at least. If none costs less than U then U is optimal; so these starts alone
bound the optimum. What finishes after a horizon T is relaxed as in `prices`: w (T + 1 - a), and no memory.

*Certificate.* With a price y_t >= 0 per token of round t, the cost of a schedule is at least

    sum_k n_k min_t [w (t + o - a) + sum_u y_{t+u} (s + u)] - M sum_t y_t,

as what is added is y_t times (tokens held - M) <= 0. The solver only proposes y. It is rounded to multiples of
2^-b, and the sum above is evaluated in integers, over every start of the window and not only the columns that the
solver has seen: no rounding of the solver, nor a column forgotten, can lift the bound above the truth.

Valid with kills, restarts and pauses, as `prices` is, of which this is the case without large requests.

*Columns.* First the starts that are cheapest at the prices of `delay`, which come within some thousandths of the
best. Then those that would lower the optimum of the program over the columns so far enter, cheapest first at prices
between the best known and the solver's, which oscillate (Wentges 1997, Int. Trans. Oper. Res. 4(2)). 200 requests of
the papers' Model 1 have 440,000 starts, of which 19,000 are enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from importlib.util import find_spec
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from . import delay
from .prices import Floats
from .problem import Ints, Problem, cost

STARTS = 8_000_000  # of all kinds together, that are evaluated at once
ENTER = 150  # columns of a kind that enter at once
TOKENS = 500_000  # of all columns that enter at once, where requests are so long that it is less than that
NEVER = np.iinfo(np.int64).max


class Kinds(NamedTuple):
    """Requests with the same arrival, prompt, output and weight, k of them, and where they may start.

    Attributes
    ----------
    arrival, prompt, output, weight : shape (k,).
    copies : shape (k,), how many requests are of that kind.
    latest : shape (k,), the last epoch of the window.
    capacity, horizon : M, tokens, and T, rounds.
    """

    arrival: Ints
    prompt: Ints
    output: Ints
    weight: Ints
    copies: Ints
    latest: Ints
    capacity: int
    horizon: int


def merge(problem: Problem, start: Ints) -> Kinds:
    """The kinds of a problem, with windows and horizon from a feasible schedule; ``start`` has shape (n,)."""
    rows, count = np.unique(np.stack(problem[:4], axis=1), axis=0, return_counts=True)
    a, s, o, w = (np.ascontiguousarray(column) for column in rows.T)
    horizon = int(1.1 * int((start + problem.output).max())) + 25
    slack = cost(problem, start) - int(np.sum(problem.weight * problem.output))
    return Kinds(a, s, o, w, count, np.minimum(a + slack // w, horizon - o), problem.capacity, horizon)


class Value(NamedTuple):
    """A certified bound, rounds, and what starts cost: shape (k, T + 1), in units of 1 / scale; NEVER: no start."""

    bound: int
    cost: Ints
    scale: int


def evaluate(kinds: Kinds, price: Floats) -> Value:
    """The certificate at given prices, shape (T + 1,), at least 0, rounded to a dyadic grid; all in integers."""
    a, s, o, w = (column[:, None] for column in kinds[:4])
    horizon, capacity = kinds.horizon, kinds.capacity
    # Each of three terms stays below 2^60.
    size = (2 * horizon + capacity) * (float(price.sum()) + len(price)) + float(w.max()) * (horizon + 1)
    bits = min(30, 60 - math.ceil(math.log2(size)))
    if bits < 0:
        raise InputError("weights and times are too large for exact arithmetic")
    scale = 2**bits
    grid = np.rint(price * scale).astype(np.int64)
    paid = np.concatenate([[0], np.cumsum(grid)])
    moment = np.concatenate([[0], np.cumsum(grid * np.arange(horizon + 1))])
    epoch = np.arange(horizon + 1)[None, :]
    end = np.minimum(epoch + o, horizon) + 1
    begin = np.minimum(epoch + 1, horizon + 1)
    value = w * (epoch + o - a) * scale + (s - epoch) * (paid[end] - paid[begin]) + moment[end] - moment[begin]
    value[(epoch < a) | (epoch > kinds.latest[:, None])] = NEVER
    late = (w * (horizon + 1 - a) * scale)[:, 0]
    least = np.minimum(value.min(axis=1), late).tolist()
    total = sum(n * v for n, v in zip(kinds.copies.tolist(), least, strict=True)) - capacity * int(paid[-1])
    return Value(-(-total // scale), value, scale)


class LinearProgram:
    """The program over the columns so far; can be interrupted and resumed.

    Attributes
    ----------
    bound : the best certified lower bound so far, rounds.
    price : shape (T + 1,), where it was found.
    settled : True when no further column can raise the bound.

    Raises
    ------
    InputError
        If SciPy is not installed, there are more starts than can be evaluated, or HiGHS fails.
    """

    def __init__(self, problem: Problem, start: Ints) -> None:
        if find_spec("scipy") is None:
            raise InputError("method lp needs SciPy: pip install 'plimsoll[optimum]'")
        self.kinds = kinds = merge(problem, start)
        k, rounds = len(kinds.copies), kinds.horizon + 1
        if k * rounds > STARTS:
            raise InputError(f"method lp: {k} kinds of requests x {rounds} rounds is too large; use method auto")
        self.price = delay.delay_prices(problem, np.ones(len(start)), kinds.horizon).price
        first = evaluate(kinds, self.price)
        self.bound, self.settled = first.bound, False
        self._known = np.zeros(first.cost.shape, np.bool_)
        self._blocks: list[tuple[Floats, Any]] = []  # costs and coefficients of columns, by the time they entered
        self._add(kinds.weight * (rounds - kinds.arrival), np.arange(k), np.zeros(k, np.int64), np.zeros(k, np.int64))
        self._enter(first.cost, first.cost < NEVER)

    def steps(self, seconds: float, stop: Callable[[], bool]) -> Iterator[int]:
        """Solve, price and let columns enter, and say the bound, until nothing is left to gain.

        Parameters
        ----------
        seconds : that one solve may take.
        stop : asked often; ends the steps.
        """
        while not self.settled and not stop():
            answer = self._solve(seconds, stop)
            if answer is None:
                return
            self._price(answer)
            yield self.bound

    def _solve(self, seconds: float, stop: Callable[[], bool]) -> Any:
        """The program over the columns so far; None if ``stop()`` or the time came first.

        In a thread, since HiGHS hears no Ctrl-C: a solve that is no longer waited for ends with its time.
        """
        from scipy.optimize import linprog
        from scipy.sparse import hstack

        costs = np.concatenate([block[0] for block in self._blocks])
        rows = hstack([block[1] for block in self._blocks], format="csr")
        limits = np.concatenate([np.full(self.kinds.horizon + 1, float(self.kinds.capacity)), -self.kinds.copies])
        options = {"time_limit": seconds, "presolve": False}
        answer: Future[Any] = Future()

        def work() -> None:
            try:
                answer.set_result(linprog(costs, rows, limits, method="highs-ds", options=options))
            except BaseException as error:
                answer.set_exception(error)

        Thread(target=work, daemon=True).start()
        while not answer.done():
            wait([answer], 0.02)
            if stop():
                return None
        found = answer.result()
        if found.status not in (0, 1):  # solved, out of time
            raise InputError(f"method lp: {found.message}")
        return found if found.status == 0 else None

    def _price(self, answer: Any) -> None:
        """Certify the solver's prices, and the starts that they lack enter."""
        kinds = self.kinds
        dual = np.maximum(-answer.ineqlin.marginals, 0.0)
        own, worth = dual[: kinds.horizon + 1], dual[kinds.horizon + 1 :]
        between = 0.8 * self.price + 0.2 * own
        smooth, exact = evaluate(kinds, between), evaluate(kinds, own)
        for value, price in ((smooth, between), (exact, own)):
            if value.bound > self.bound:
                self.bound, self.price = value.bound, price
        gains = (exact.cost < ((worth - 1e-9) * exact.scale)[:, None]) & ~self._known
        self.settled = self.bound >= math.ceil(answer.fun - 1e-6) or not gains.any()
        if not self.settled:
            self._enter(smooth.cost, gains)

    def _enter(self, value: Ints, allowed: npt.NDArray[np.bool_]) -> None:
        """The cheapest of the allowed columns of each kind."""
        kinds = self.kinds
        ranked = np.where(allowed, value, NEVER)
        affordable = max(8, TOKENS // int(kinds.output.sum()))
        last = min(ENTER, affordable, ranked.shape[1]) - 1
        threshold = np.partition(ranked, last, axis=1)[:, last]
        kind, epoch = np.nonzero(allowed & (ranked <= threshold[:, None]))
        self._known[kind, epoch] = True
        o = kinds.output[kind]
        self._add(kinds.weight[kind] * (epoch + o - kinds.arrival[kind]), kind, epoch, o)

    def _add(self, price: Ints, kind: Ints, epoch: Ints, output: Ints) -> None:
        """Columns that start at the given epochs; ``output`` 0 for those that finish too late to hold memory.

        Their rows: tokens held in rounds 0 to T, at most M; and minus the starts of each kind, at most -n_k.
        """
        from scipy.sparse import csc_array

        rounds, size = self.kinds.horizon + 1, output + 1
        first = np.concatenate([[0], np.cumsum(size)])
        token = np.arange(first[-1]) - np.repeat(first[:-1], size)  # 0 is the row of the kind
        row = np.where(token == 0, rounds + np.repeat(kind, size), np.repeat(epoch, size) + token)
        held = np.where(token == 0, -1.0, np.repeat(self.kinds.prompt[kind], size) + token)
        shape = (rounds + len(self.kinds.copies), len(kind))
        self._blocks.append((price.astype(np.float64), csc_array((held, row, first), shape=shape)))
