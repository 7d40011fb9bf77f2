"""The staggered pipeline (SPS): identical slices started at even distances fill memory evenly.

A policy that runs its requests in phases lays out a table of (slice, parallelism) with :func:`phase_table`
and lets :func:`paced` decide who starts: phase by phase, each as one pipeline.

References
----------
Feng, Yang, Zhang (2026), arXiv:2601.22996; restated as Fact 1 of arXiv:2607.09248.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np
import numpy.typing as npt

from ..jit import njit
from .protocol import CHANGE, START
from .view import View

_PHASE, _BEGAN, _RANK, _TABLE = 0, 1, 2, 10  # places in a policy's memory; 3 to 6 are the relay's, 7 to 9 the widths'


@njit()
def pipeline_peak(prompt: int, slice_len: int, par: int) -> int:
    """Peak memory (tokens) of the endless pipeline of ``par`` slices of ``slice_len`` tokens each."""
    return prompt * par + (slice_len * par + slice_len + par - gcd(slice_len, par)) // 2


@njit()
def pipeline_width(prompt: int, slice_len: int, capacity: int) -> int:
    """The largest parallelism whose peak is at most ``capacity``; 0 if even one slice overfills it.

    ``pipeline_peak`` rises strictly with the parallelism and lies between two straight lines, which bracket
    the answer; bisection does the rest.
    """
    if prompt + slice_len > capacity:
        return 0
    slope = 2 * prompt + slice_len + 1
    low = max(1, (2 * capacity - slice_len + 1) // slope)
    high = max(low, 2 * capacity // slope)
    while low < high:
        middle = (low + high + 1) // 2
        if pipeline_peak(prompt, slice_len, middle) <= capacity:
            low = middle
        else:
            high = middle - 1
    return low


@njit()
def pipeline_start(rank: int, slice_len: int, par: int) -> int:
    """Rounds after the pipeline's beginning at which its ``rank``-th slice (from 0) starts."""
    return rank * slice_len // par


def phase_table(phases: Sequence[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """A policy's memory for phases of (slice, parallelism), before the first has begun."""
    return np.concatenate([[-1.0], np.zeros(_TABLE - 1), np.array(phases, dtype=np.float64).ravel()])


@njit()
def phase_slice(view: View, phase: int) -> int:
    """Tokens after which a phase takes its requests back."""
    return int(view.memory[_TABLE + 2 * phase])


@njit()
def phase_width(view: View, phase: int) -> int:
    """Parallelism of a phase's pipeline."""
    return int(view.memory[_TABLE + 2 * phase + 1])


@njit()
def phase_ready(view: View, phase: int) -> bool:
    """True in the current phase; begins ``phase`` now when nobody runs any more."""
    if phase == view.memory[_PHASE]:
        return True
    if len(view.running) > 0:
        return False
    begin_phase(view, phase)
    return True


@njit()
def begin_phase(view: View, phase: int) -> None:
    """Make ``phase`` the current one, with its first slot now."""
    view.memory[_PHASE], view.memory[_BEGAN], view.memory[_RANK] = phase, view.step, 0


@njit()
def forget_phase(view: View) -> None:
    """Begin anew with whatever phase comes next."""
    view.memory[_PHASE] = -1.0


@njit()
def slot(view: View, phase: int, rank: int) -> int:
    """The round at which the ``rank``-th request of the current phase is due."""
    return int(view.memory[_BEGAN]) + pipeline_start(rank, phase_slice(view, phase), phase_width(view, phase))


@njit()
def started(view: View) -> int:
    """Requests of the current phase that have been started."""
    return int(view.memory[_RANK])


@njit()
def count_start(view: View) -> int:
    """START, counted as the next rank of the current phase."""
    view.memory[_RANK] += 1
    return START


@njit()
def paced(view: View, phase: int) -> int:
    """START if the next request of ``phase`` is due, else how long to wait: until its slot, or the phase's turn."""
    if not phase_ready(view, phase):
        return CHANGE
    wait = slot(view, phase, started(view)) - view.step
    return wait if wait > 0 else count_start(view)
