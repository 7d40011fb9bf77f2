"""Widths: a fixed part of memory set aside for each running request, whatever it holds.

The sum over the running requests lives in a policy's memory, places 7 to 9.
"""

from __future__ import annotations

from ..jit import njit
from .view import View

_STEP, _COUNT, _TOTAL = 7, 8, 9


@njit()
def joins(view: View, i: int, column: int) -> bool:
    """True if the width of request i fits beside those of the running ones: it is counted, and must start now.

    Within a step nobody leaves between two starts, so that widths are summed once a step.
    """
    memory, columns = view.memory, view.columns
    if memory[_STEP] != view.step or memory[_COUNT] != len(view.running):
        memory[_STEP], memory[_COUNT], memory[_TOTAL] = view.step, len(view.running), 0.0
        for r in view.running:
            memory[_TOTAL] += columns[r.id, column]
    if memory[_TOTAL] + columns[i, column] > view.capacity:
        return False
    memory[_COUNT] += 1.0
    memory[_TOTAL] += columns[i, column]
    return True
