"""The staggered pipeline (SPS): identical slices started at even distances fill memory evenly.

References
----------
Feng, Yang, Zhang (2026), arXiv:2601.22996; restated as Fact 1 of arXiv:2607.09248.
"""

from __future__ import annotations

from math import gcd

from ..jit import njit


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
