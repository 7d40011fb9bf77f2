"""What the bounds work on: requests as whole numbers, and schedules of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..jit import njit

Ints = npt.NDArray[np.int64]


class Problem(NamedTuple):
    """n requests in the discrete-round model; the objective is sum w_i (finish_i - arrival_i).

    Attributes
    ----------
    arrival, prompt, output : shape (n,), rounds, tokens, tokens.
    weight : shape (n,), at least 1.
    capacity : KV cache size M, tokens.
    """

    arrival: Ints
    prompt: Ints
    output: Ints
    weight: Ints
    capacity: int


def cost(problem: Problem, start: Ints) -> int:
    """Total weighted latency of a schedule, rounds; ``start`` has shape (n,)."""
    return int(np.sum(problem.weight * (start + problem.output - problem.arrival)))


def feasible(problem: Problem, start: Ints) -> bool:
    """True if every request starts at or after its arrival and no round holds more than the capacity."""
    a, s, o, _, m = problem
    if len(a) == 0:
        return True
    held = np.zeros(int((start + o).max()) + 1, np.int64)
    _occupy(held, s, o, start)
    return bool((start >= a).all() and (held <= m).all())


@njit()
def _occupy(held: Ints, prompt: Ints, output: Ints, start: Ints) -> None:
    for i in range(len(start)):
        for u in range(1, output[i] + 1):
            held[start[i] + u] += prompt[i] + u


@njit()
def earliest(held: Ints, prompt: int, output: int, capacity: int, start: int) -> int:
    """The first epoch from ``start`` at which a request fits beside ``held`` (tokens per round).

    A round r that is too full admits the request only if it started late enough to hold no more than the room
    left in r, or after r; the scan jumps there.
    """
    while True:
        r = start + output
        while r > start and held[r] + prompt + r - start <= capacity:
            r -= 1
        if r == start:
            return start
        start = r - max(0, capacity - held[r] - prompt)
