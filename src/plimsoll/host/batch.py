"""The running requests of the rounds host, kept sorted by predicted completion."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..jit import njit
from ..policy.view import View

ABSENT = -(1 << 60)


class State(NamedTuple):
    """The arrays of a run. ``output`` is the truth and stays out of every view."""

    requests: Any  # (n,) of REQUEST
    output: Any  # (n,) tokens
    running: Any  # (room,) of RUNNING, the first k in use, by ascending predicted end
    due: Any  # (room,) the round after which each running request truly leaves
    out: Any  # (room,) ids, room for a hook's answer
    survival: Any  # (kinds, grid points)
    columns: Any  # the policy's
    memory: Any
    facts: Any  # the predictor's
    notes: Any
    dice: Any  # (6,)


@njit()
def look(state: State, now: int, k: int, held: int, capacity: int, evicted: int) -> View:
    """The view at epoch ``now``; ``held`` is Σ offset over the k running requests."""
    use = held + k * (now + 1)
    return View(
        float(now), now, capacity, 1, capacity - use - 1, max(0, use - capacity), evicted,
        state.requests, state.running[:k], state.survival, state.columns, state.memory, state.dice,
    )  # fmt: skip


@njit()
def insert(state: State, k: int, i: int, end: int, base: int, due: int) -> None:
    """Add request i to the k running ones."""
    running = state.running
    x = k
    while x > 0 and running[x - 1].end > end:
        running[x] = running[x - 1]
        state.due[x] = state.due[x - 1]
        x -= 1
    running[x].id = i
    running[x].end = end
    running[x].offset = base
    state.due[x] = due


@njit()
def take_due(state: State, k: int, now: int) -> int:
    """Move the ids of the running requests that leave at ``now`` to ``out``; return their count.

    Those that stay although predicted to be done are now predicted to need one more token.
    """
    left, kept = 0, 0
    for x in range(k):
        if state.due[x] <= now:
            state.out[left] = state.running[x].id
            left += 1
        else:
            if left > 0:
                state.running[kept] = state.running[x]
                state.due[kept] = state.due[x]
            if state.running[kept].end <= now:
                state.running[kept].end = now + 1
            kept += 1
    return left


@njit()
def take(state: State, k: int, count: int) -> int:
    """Remove the requests ``out[:count]`` from the k running ones; return Σ offset removed or ABSENT."""
    freed, found, kept = 0, 0, 0
    for x in range(k):
        leaves = False
        for y in range(count):
            if state.running[x].id == state.out[y]:
                leaves = True
                break
        if leaves:
            freed += state.running[x].offset
            found += 1
        else:
            if found > 0:
                state.running[kept] = state.running[x]
                state.due[kept] = state.due[x]
            kept += 1
    return freed if found == count else ABSENT


@njit()
def soonest(state: State, k: int) -> int:
    """The first round after which a running request leaves."""
    first = state.due[0]
    for x in range(1, k):
        first = min(first, state.due[x])
    return first
