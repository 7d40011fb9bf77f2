"""Prices for long traces: what one lost token delays on a machine that works on the densest request present.

`area.mean_busy` relaxes a schedule to a preemptive machine of speed M that always spends its tokens on the
largest share / volume present. Its dual prices are explicit. A token lost at time t moves a piece of the
request in work to the next moment at which something less dense is in work, which moves that in turn, until
the machine is idle: the price of t is the integral, from t to the end of its busy period, of the least
density in work since t. With these prices the bound of `prices` is at least about that of `area.mean_busy`,
and much more where requests cannot spend their volume at once: each has to follow its own ramp.
"""

from __future__ import annotations

import numpy as np

from ..jit import njit
from .area import volume
from .prices import Floats, Prices, on_grid
from .problem import Ints, Problem


def delay_prices(problem: Problem, share: Floats, horizon: int) -> Prices:
    """Prices of rounds 1 to ``horizon`` when request i's density is weight x share / volume; no rewards.

    Parameters
    ----------
    share : shape (n,), in (0, 1].
    """
    vol = volume(problem.prompt, problem.output)
    order = np.argsort(problem.arrival, kind="stable")
    density = (problem.weight * share / vol)[order]
    pieces = _serve(problem.arrival[order] * float(problem.capacity), vol[order].astype(np.float64), density)
    price = _integrate(pieces / np.array([problem.capacity, problem.capacity, 1.0]), horizon)
    return on_grid(Prices(np.zeros(len(vol)), price), problem)


@njit()
def _serve(release: Floats, left: Floats, density: Floats) -> Floats:
    """Pieces of work (begin, end, density), in order, each of shape (3,), of the densest request present.

    The requests present form a binary heap by density, written out so that it compiles to few instructions.
    """
    n = len(left)
    pieces = np.empty((2 * n, 3))
    heap = np.empty(n, np.int64)
    size, come, count = 0, 0, 0
    now = release[0]
    while come < n or size > 0:
        if size == 0:
            now = max(now, release[come])
        while come < n and release[come] <= now:
            size = _push(heap, size, density, come)
            come += 1
        i = heap[0]
        spend = left[i]
        if come < n and now + spend > release[come]:
            spend = release[come] - now
        left[i] -= spend
        if left[i] <= 0:
            size = _pop(heap, size, density)
        pieces[count, 0], pieces[count, 1], pieces[count, 2] = now, now + spend, density[i]
        count += 1
        now += spend
    return pieces[:count]


@njit()
def _push(heap: Ints, size: int, density: Floats, i: int) -> int:
    k = size
    while k > 0 and density[heap[(k - 1) // 2]] < density[i]:
        heap[k] = heap[(k - 1) // 2]
        k = (k - 1) // 2
    heap[k] = i
    return size + 1


@njit()
def _pop(heap: Ints, size: int, density: Floats) -> int:
    moved = heap[size - 1]
    size -= 1
    k = 0
    while 2 * k + 1 < size:
        child = 2 * k + 1
        if child + 1 < size and density[heap[child + 1]] > density[heap[child]]:
            child += 1
        if density[moved] >= density[heap[child]]:
            break
        heap[k] = heap[child]
        k = child
    heap[k] = moved
    return size


@njit()
def _integrate(pieces: Floats, horizon: int) -> Floats:
    """The price of every round, backward: a stack of (density, length) with densities rising to its top."""
    begin, end = np.zeros(horizon + 1), np.zeros(horizon + 1)
    room = len(pieces) + int(pieces[-1, 1]) + 2
    densities, lengths = np.empty(room), np.empty(room)
    top, value, next_begin = 0, 0.0, -1.0
    for p in range(len(pieces) - 1, -1, -1):
        low, high, density = pieces[p, 0], pieces[p, 1], pieces[p, 2]
        if next_begin - high > 1e-9:  # idle in between: a new busy period
            top, value = 0, 0.0
        k = int(np.ceil(high - 1e-12))
        while high > low + 1e-12:
            cut = max(low, k - 1.0)
            if k <= horizon and end[k] == 0:
                end[k] = value
            length = high - cut
            value += density * length
            while top > 0 and densities[top - 1] > density:
                value -= (densities[top - 1] - density) * lengths[top - 1]
                length += lengths[top - 1]
                top -= 1
            densities[top], lengths[top] = density, length
            top += 1
            if k <= horizon:
                begin[k] = value
            high = cut
            k -= 1
        next_begin = low
    return np.maximum((begin + end) / 2, 0.0)
