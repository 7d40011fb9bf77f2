"""One call: the certified interval around the least total latency of a trace, within a time limit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..trace import Trace
from . import area, delay, guide, layers, levels, linear, makespan, nodes, order, policies, prices, repair, search
from .interrupt import heard
from .problem import Ints, Problem, cost, feasible

STATES = 5000  # of the dynamic program over levels
MOVES = 5_000_000  # states times rounds of one evaluation of the bound
NODES = 600_000  # of one layer of the proof
SMALL = 300  # requests; above, nothing is proved, and the first prices and the policies come before local search


@dataclass(frozen=True)
class Interval:
    """What is known about the least total latency of any schedule.

    Attributes
    ----------
    lower, upper : rounds; the least total lies between them, both included.
    proved : True if they are equal: ``upper`` is the optimum.
    gap : upper / lower - 1.
    seconds : spent.
    method : what gave the lower end: "area", "prices" or "layers", "lp" (HiGHS) or "order" (CP-SAT).
    starts : shape (n,), rounds: the schedule that costs ``upper``, in the order of the trace.
    nodes : of the proof, expanded.
    """

    lower: int
    upper: int
    seconds: float
    method: str
    starts: Ints
    nodes: int = 0

    @property
    def proved(self) -> bool:
        return self.lower == self.upper

    @property
    def gap(self) -> float:
        return self.upper / self.lower - 1 if self.lower else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The interval as `plimsoll bound --json` prints it."""
        return {
            "schema": 1,
            "lower": self.lower,
            "upper": self.upper,
            "proved": self.proved,
            "gap": self.gap,
            "seconds": self.seconds,
            "method": self.method,
            "nodes": self.nodes,
            "holds_with": ["kill", "pause"],
            "starts": self.starts.tolist(),
        }


def bound(
    trace: Trace,
    capacity: int,
    time_limit: float = 60.0,
    *,
    rounds_per_s: float = 20.0,
    weights: npt.ArrayLike | None = None,
    objective: str = "latency",
    method: str = "auto",
    seed: int = 0,
    tell: Callable[[Interval], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Interval:
    """The least total latency that any schedule of a trace could have had, or an interval around it.

    Holds for schedules that kill, restart or pause requests too. *Proof.* Leave all attempts but the last out of
    such a schedule: every request finishes when it did, and no round holds more. Run the last without a pause,
    finishing when it did: in every round it holds no more than it did. So none of these has a smaller total, or a
    smaller makespan, than the best schedule that starts each request once.

    Parameters
    ----------
    trace : n requests.
    capacity : KV cache size M, tokens.
    time_limit : seconds, above 0. Ctrl-C ends sooner with what is known, at the next look at the clock.
    rounds_per_s : an arrival at second t falls on round floor(t * rounds_per_s).
    weights : shape (n,), whole numbers of at least 1: bounds sum w_i latency_i in place of the total.
    objective : "latency", the total, or "makespan", the round in which the last request finishes.
    method : "auto", or with the extra ``optimum`` "order", the order-based model in CP-SAT, or "lp", the
        time-indexed linear program in HiGHS, which bounds latency alone and ends when it is solved.
    seed : of the local search.
    tell : called with the interval whenever it shrinks.
    clock : what the time limit is measured on; ``time.process_time`` counts processor seconds, for figures that
        do not depend on what else the machine does.

    Raises
    ------
    CapacityError
        If a request can never fit.
    InputError
        If the time limit or a weight is out of range, what is asked for does not go together, the method needs an
        extra that is not installed, the linear program is too large, or weights are so large that the bounds cannot
        be evaluated exactly.

    Examples
    --------
    >>> from plimsoll import Trace
    >>> from plimsoll.bounds.solve import bound
    >>> found = bound(Trace.of([(0, 1, 1), (0, 1, 1), (0, 1, 3), (0, 1, 3)]), capacity=5, time_limit=60)
    >>> found.lower, found.upper, found.proved
    (12, 12, True)
    """
    check_limit(time_limit)
    for name, given, known_names in (
        ("objective", objective, ("latency", "makespan")),
        ("method", method, ("auto", "order", "lp")),
    ):
        if given not in known_names:
            raise InputError(f"{name} must be {' or '.join(known_names)}, not {given}")
    if objective == "makespan" and (weights is not None or method == "lp"):
        raise InputError(f"{'weights do' if weights is not None else 'method lp does'} not apply to the makespan")
    trace.fitting(capacity)
    problem = problem_of(trace, capacity, rounds_per_s, weights)
    if not len(trace):
        return Interval(0, 0, 0.0, "area", np.zeros(0, np.int64))
    with heard() as interrupted:
        known = Known(problem, time_limit, objective == "makespan", tell, clock, interrupted)
        with suppress(KeyboardInterrupt):
            _narrow(known, method, seed)
    return replace(known.interval, seconds=known.seconds)


def check_limit(time_limit: float) -> None:
    """One clear line if there is no time to search in."""
    if not time_limit > 0:
        raise InputError(f"time limit must be above 0 seconds, not {time_limit:g}")


def problem_of(
    trace: Trace, capacity: int, rounds_per_s: float = 20.0, weights: npt.ArrayLike | None = None
) -> Problem:
    """The trace in whole rounds, as the rounds host sees it."""
    if not rounds_per_s > 0:
        raise InputError(f"--rounds-per-s must be above 0, not {rounds_per_s}")
    weight = np.ones(len(trace), np.int64)
    if weights is not None:
        given = np.asarray(weights)
        weight = np.nan_to_num(given).astype(np.int64)
        if given.shape != (len(trace),) or (weight != given).any() or (weight < 1).any():
            raise InputError(f"weights: one whole number of at least 1 for each of the {len(trace)} requests")
    arrival = np.floor(trace.arrival * rounds_per_s + 1e-9).astype(np.int64)
    area.check(arrival, trace.prompt, trace.output, capacity)
    return Problem(arrival, trace.prompt, trace.output, weight, capacity)


class Known:
    """What is known so far, and how long is left."""

    def __init__(
        self,
        problem: Problem,
        time_limit: float,
        last_finish: bool = False,
        tell: Callable[[Interval], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.problem, self.time_limit, self.makespan, self._tell = problem, time_limit, last_finish, tell
        self._interrupted = interrupted
        self._clock, self._begin = clock, clock()
        start = search.place(problem, search.first_order(problem))
        lower = makespan.lower_bound(problem) if last_finish else _area(problem)
        self.interval = Interval(lower, self._total(start), 0.0, "area", start)

    @property
    def seconds(self) -> float:
        return self._clock() - self._begin

    def done(self) -> bool:
        """True when the optimum is proved, time is up, or Ctrl-C was pressed."""
        return self.interval.proved or self._interrupted() or self.seconds >= self.time_limit

    def clock(self, seconds: float) -> Callable[[], bool]:
        """A stop that comes true after so many seconds, or when all is done."""
        end = min(self.seconds + seconds, self.time_limit)
        return lambda: self.done() or self.seconds >= end

    def offer(self, start: Ints) -> None:
        """A feasible schedule; kept if it is the best."""
        total = self._total(start)
        if total < self.interval.upper:
            if not feasible(self.problem, start):
                raise AssertionError(f"a schedule that costs {total} does not fit in {self.problem.capacity} tokens")
            self._say(replace(self.interval, upper=total, starts=start))

    def at_least(self, value: float, method: str) -> None:
        """A certified lower bound; totals are whole, so it is rounded up. Kept if it is the best."""
        lower = math.ceil(value)
        if lower > self.interval.upper:
            raise AssertionError(f"bound {lower} by {method} is above the {self.interval.upper} of a schedule")
        if lower > self.interval.lower:
            self._say(replace(self.interval, lower=lower, method=method))

    def expanded(self, nodes: int) -> None:
        self.interval = replace(self.interval, nodes=self.interval.nodes + nodes)

    def _total(self, start: Ints) -> int:
        return int((start + self.problem.output).max()) if self.makespan else cost(self.problem, start)

    def _say(self, interval: Interval) -> None:
        self.interval = replace(interval, seconds=self.seconds)
        if self._tell is not None:
            self._tell(self.interval)


def _area(problem: Problem) -> int:
    """The closed-form bound; with weights, that of the least weight for all."""
    a, s, o, w, m = problem
    alone = int(np.sum(w * o))
    return max(alone, int(w.min(initial=1)) * int(area.lower_bound(a, s, o, m))) if len(a) else 0


def _order(known: Known, seed: int, required: bool) -> None:
    """The order-based model for the rest of the time; passed over, if not required, where it cannot be solved."""
    if not required and (find_spec("ortools") is None or len(known.problem.weight) > order.MOST_REQUESTS):
        return
    if not known.makespan:
        _improve(known, seed, known.time_limit / 30)
    if known.done():
        return
    left = known.time_limit - known.seconds
    answer = order.solve(
        known.problem, known.interval.starts, known.interval.lower, left, known.makespan, seed, known.done
    )
    known.expanded(answer.nodes)
    if answer.start is not None:
        known.offer(answer.start)
    known.at_least(answer.lower, "order")


def _narrow(known: Known, method: str, seed: int) -> None:
    """Narrow the interval by the method that was asked for."""
    if known.makespan:
        known.offer(makespan.search(known.problem, seed, known.clock(known.time_limit / 6)))
    if method == "lp":
        _linear(known, seed)
    elif method == "order" or known.makespan:
        _order(known, seed, method == "order")
    elif len(known.problem.weight) <= SMALL:
        _climb_and_prove(known, seed)
    else:
        _climb_and_repair(known, seed)


def _linear(known: Known, seed: int) -> None:
    """Local search for a sixth of the time, then the linear program until it is solved."""
    if known.done():
        return
    program = linear.LinearProgram(known.problem, known.interval.starts)
    known.at_least(program.bound, "lp")
    _improve(known, seed, known.time_limit / 6)
    for bound in program.steps(known.time_limit - known.seconds, known.clock(known.time_limit)):
        known.at_least(bound, "lp")


def _climb_and_prove(known: Known, seed: int) -> None:
    """Search, climb and prove in turns, each turn longer than the last, until all is done."""
    n = len(known.problem.weight)
    unit = known.time_limit / 60
    _improve(known, seed, unit * (0.3 + n / 12))
    climb = _climb(known)
    for turn in range(1, 1_000_000):
        if climb is None or known.done():
            return
        climb.advance(known.interval.upper, known.clock(unit * 1.5 * turn))
        known.at_least(climb.bound, "prices")
        if n <= nodes.MOST_REQUESTS:
            climb = _prove(known, climb, turn)
        if turn == 2 and not known.done():
            _policies(known, policies.schedules(known.problem, known.done), unit)
        _improve(known, seed + turn, unit * turn)


def _climb_and_repair(known: Known, seed: int) -> None:
    """Long traces: a policy, the first prices, the other policies, then climb and repair in turns."""
    unit = known.time_limit / 60
    schedules = policies.schedules(known.problem, known.done)
    _policies(known, schedules, 0)
    climb = _climb(known)
    _policies(known, schedules, 2 * unit)
    for turn in range(1_000_000):
        if known.done():
            return
        if climb is not None:
            climb.advance(known.interval.upper, known.clock(5 * unit))
            known.at_least(climb.bound, "prices")
        _improve(known, seed + turn, 5 * unit)


def _policies(known: Known, schedules: Iterator[tuple[str, Ints]], seconds: float) -> None:
    """The next policies, one at least, for so many seconds."""
    stop = known.clock(seconds)
    for _, start in schedules:
        known.offer(start)
        if stop():
            return


def _improve(known: Known, seed: int, seconds: float) -> None:
    """Local search from the best schedule: over orders where that is quick, else by repair in place."""
    find = search.anneal if search.quick(known.problem) else repair.repair
    known.offer(find(known.problem, known.interval.starts, seed, known.clock(seconds)))


def _climb(known: Known, before: prices.Climb | None = None) -> prices.Climb | None:
    """A climb from the best of some guesses at the prices, with room behind the best schedule's last finish.

    After another, it goes on from its prices with a horizon half as long again. None if the time came before any guess
    was evaluated.
    """
    problem, start = known.problem, known.interval.starts
    horizon = int(1.1 * int((start + problem.output).max()) + 5 + min(len(start), 200) // 2)
    guesses: list[prices.Prices] = []
    if before is not None:
        horizon = 3 * len(before.prices.price) // 2
        longer = np.pad(before.prices.price, (0, horizon + 1 - len(before.prices.price)))
        guesses.append(prices.on_grid(prices.Prices(before.prices.reward, longer), problem))
    top = int((problem.prompt + problem.output).max())
    limit = min(STATES, MOVES // horizon)
    floor = levels.affordable_floor(problem.capacity, min(int(problem.prompt.max()), top), limit)
    states = levels.enumerate_states(problem.capacity, floor, top)
    guesses.append(delay.delay_prices(problem, np.ones(len(start)), horizon))
    guesses.append(prices.first_prices(problem, start, horizon))
    best: prices.Climb | None = None
    for guess in guesses:
        if known.done():
            break
        value = prices.evaluate(problem, states, floor, guess, known.done)
        if value is not None and (best is None or value.bound > best.bound):
            best = prices.Climb(problem, states, floor, guess, value.bound)
            known.at_least(value.bound, "prices")
    return best


def _prove(known: Known, climb: prices.Climb, turn: int) -> prices.Climb | None:
    """Beams for a better schedule, then the whole of what could be better, for about as long as the climb."""
    problem, unit = known.problem, known.time_limit / 60
    tables = guide.guide(problem, climb.states, climb.floor, climb.prices)
    rooms = [(50 * 4**turn, 400 * 4**turn), (NODES, NODES)]
    for width, room in rooms:
        upper = known.interval.upper
        room = min(room, NODES)
        found = layers.explore(problem, tables, upper, room, min(width, room), known.clock(unit * 2 * turn))
        known.expanded(found.nodes)
        if found.start is not None:
            known.offer(found.start)
        if found.whole:
            if guide.late_bound(problem, tables, climb.prices, climb.bound) > known.interval.upper - 1:
                known.at_least(known.interval.upper, "layers")
                return climb
            return _climb(known, climb)
        if known.done():
            break
    return climb
