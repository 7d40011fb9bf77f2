"""Branches that take turns on one machine, each turn a fresh copy and twice as long as in the stage before.

The current turn lives in a policy's memory, places 3 to 6; ``take_turn`` moves it on. A request's number of
attempts within a turn lives in two of its columns.

References
----------
BlackBoxMeta of arXiv:2607.09248: with k branches, C_i is at most (4k − 1) times i's completion in its branch alone.
"""

from __future__ import annotations

from ..jit import njit
from .view import View

_TURN, _UNTIL, _STALE, _BEGAN = 3, 4, 5, 6
ATTEMPTS, CALL = 0, 1  # columns: attempts made in the turn CALL
ELSEWHERE = 1e300  # rank of a request whose branch is not on


@njit()
def take_turn(view: View, branches: int) -> int:
    """The branch that is on now; turn r·branches + b of stage r and branch b lasts 2^r rounds."""
    memory = view.memory
    if memory[_TURN] == 0.0:  # before the first turn
        memory[_UNTIL] = view.step
    while view.step >= memory[_UNTIL]:
        stage, branch = memory[_TURN] // branches, memory[_TURN] % branches
        if branch == 0:
            memory[_BEGAN] = memory[_UNTIL]
        memory[_UNTIL] += 2.0**stage
        memory[_TURN] += 1.0
        memory[_STALE] = 1.0
    return int(memory[_TURN] - 1.0) % branches


@njit()
def fresh_turn(view: View) -> bool:
    """True once per turn: the order of the queue must be made anew."""
    stale = view.memory[_STALE] == 1.0
    view.memory[_STALE] = 0.0
    return stale


@njit()
def end_turn(view: View) -> None:
    """Give the rest of this turn to the next branch."""
    view.memory[_UNTIL] = view.step


@njit()
def rest_of_turn(view: View) -> int:
    """Rounds until the next turn, at least 1."""
    return int(view.memory[_UNTIL]) - view.step


@njit()
def stage_began(view: View) -> float:
    """The round at which the first branch of this stage had its turn."""
    return view.memory[_BEGAN]


@njit()
def attempts(view: View, i: int) -> int:
    """Attempts of request i in this turn so far."""
    return int(view.columns[i, ATTEMPTS]) if view.columns[i, CALL] == view.memory[_TURN] else 0


@njit()
def count_attempt(view: View, i: int) -> None:
    """One more attempt of request i in this turn."""
    view.columns[i, ATTEMPTS] = attempts(view, i) + 1
    view.columns[i, CALL] = view.memory[_TURN]
