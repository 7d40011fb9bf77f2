"""Every bound against exhaustive search on random tiny instances: arrivals, weights, makespan, kills.

``python -m tests.bounds.test_soundness 0 3000`` looks at the seeds it is told, and says what it counted.
"""

import sys
from collections import Counter
from importlib.util import find_spec
from itertools import count

import numpy as np
import pytest

from plimsoll import Trace
from plimsoll.bounds import area, delay, levels, linear, makespan, order, prices, search
from plimsoll.bounds.problem import Problem, cost, feasible
from plimsoll.bounds.replay import confirmed
from plimsoll.bounds.solve import bound

from .exhaustive import optimum, optimum_with_kills


def drawn(rng: np.random.Generator) -> Problem:
    """At most five requests, some alike, all at once or over a few rounds, weights 1 or up to 9."""
    n, m = int(rng.integers(1, 6)), int(rng.integers(3, 13))
    prompt = rng.integers(0, max(1, m - 1), n)
    output = np.array([rng.integers(1, min(5, m - s) + 1) for s in prompt])
    arrival = np.sort(rng.integers(0, 7, n)) * int(rng.integers(0, 2))
    if rng.random() < 0.3:  # twins
        arrival[:], prompt[:], output[:] = arrival[0], prompt[0], output[0]
    weight = np.ones(n, np.int64) if rng.random() < 0.5 else rng.integers(1, 10, n)
    return Problem(arrival, prompt, output, weight, m)


def closed_forms(p: Problem, best: int) -> None:
    if (p.weight == 1).all():
        for part in (area.area, area.processing, area.combined, area.mean_busy):
            assert part(*p[:3], p.capacity) <= best + 1e-9, part.__name__
        assert area.lower_bound(*p[:3], p.capacity) <= best


def priced(p: Problem, best: int, rng: np.random.Generator) -> None:
    """At the best prices known and at any other, with every floor, and the linear program's certificate."""
    start = search.place(p, search.first_order(p))
    horizon = int((start + p.output).max()) + int(rng.integers(0, 9)) - 2
    guess = delay.delay_prices(p, rng.uniform(0.1, 1, len(start)), max(1, horizon))
    noise = prices.Prices(rng.exponential(3, len(start)), guess.price * rng.uniform(0, 3, len(guess.price)))
    top = int((p.prompt + p.output).max())
    for floor in range(p.capacity + 1):
        states = levels.enumerate_states(p.capacity, floor, max(top, floor))
        for each in (guess, prices.on_grid(noise, p)):
            assert prices.evaluate(p, states, floor, each).bound <= best, floor
        climb = prices.Climb(p, states, floor, guess)
        for _ in range(5):
            climb._step(cost(p, start), lambda: False)
        assert climb.bound <= best
    kinds = linear.merge(p, start)
    assert linear.evaluate(kinds, rng.exponential(0.3, kinds.horizon + 1)).bound <= best


def whole(p: Problem, best: int, **options: object) -> bool:
    """One call for everything; is it proved?"""
    trace = Trace(p.arrival.astype(np.float64), p.prompt, p.output)
    looks = count()  # a second is a thousand looks at the clock, so that nothing depends on the machine
    found = bound(trace, p.capacity, 1, rounds_per_s=1, clock=lambda: next(looks) / 1000, **options)
    assert found.lower <= best <= found.upper
    assert feasible(p, found.starts) and confirmed(p, found.starts)
    assert found.proved == (found.lower == found.upper)
    return found.proved


def look(seed: int) -> Counter[str]:
    rng = np.random.default_rng(seed)
    p = drawn(rng)
    rows = list(zip(*(column.tolist() for column in p[:3]), strict=True))
    weights = p.weight.tolist()
    best, last = optimum(rows, p.capacity, weights), optimum(rows, p.capacity, makespan=True)
    closed_forms(p, best)
    priced(p, best, rng)
    assert makespan.lower_bound(p) <= last
    seen = Counter(instances=1, proved=whole(p, best, weights=weights))
    if len(rows) <= 3:
        assert optimum_with_kills(rows, p.capacity, weights) == best
        seen["with kills"] += 1
    if seed % 10 == 0 and find_spec("ortools"):
        start = search.place(p, search.first_order(p))
        assert order.solve(p, start, 0, 10, seed=seed).lower == best
        assert order.solve(p, start, 0, 10, makespan=True, seed=seed).lower == last
        seen["proved by CP-SAT"] += 2
    if seed % 10 == 1 and find_spec("scipy"):
        whole(p, best, weights=weights, method="lp")
        seen["linear programs"] += 1
    return seen


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_no_bound_is_above_the_optimum(first):
    seen = sum((look(seed) for seed in range(first, first + 20)), Counter())
    assert seen["instances"] == 20 and seen["proved"] >= 15


if __name__ == "__main__":
    print(dict(sum((look(seed) for seed in range(*map(int, sys.argv[1:]))), Counter())))
