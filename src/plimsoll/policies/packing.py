"""Clairvoyant schedules laid out before the run: packed rectangles, and batches by mean length over size."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError, PolicyError
from ..jit import njit
from ..policy import CHANGE, START, Plan, View, peak_wait
from .geometric import all_at_once

Ints = npt.NDArray[np.int64]
LARGEST = 300_000  # entries of a linear program


class PackAndSchedule(NamedTuple):
    """Stage r packs the requests of length up to 2^r, the smallest rectangles first, into 2^(r+1) rounds.

    A request is a rectangle of width prompt + output and height output. KV memory need not be contiguous, so
    starting whoever fits, in any order, packs an area of M · 2^r into 2^(r+1) rounds (proof in docs/policies.md).
    """

    uses = "length"
    guarantee = "total ≤ 16 · OPT for any prompts and exact lengths, all at time 0"
    source = "arXiv:2607.09248, appendix A"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        all_at_once(requests, "pack-and-schedule")
        output = np.minimum(np.ceil(requests["predicted"]), capacity - requests["prompt"]).astype(np.int64)
        starts = packed(requests["prompt"].astype(np.int64), output, capacity)
        return Plan((starts + requests["arrival"][0])[:, None])

    def rank(self, view: View, i: int) -> float:
        return view.columns[i, 0]

    def admit(self, view: View, i: int) -> int:
        wait = int(view.columns[i, 0]) - view.step
        if wait > 0:
            return wait
        return START if view.requests[i].prompt <= view.free else CHANGE


class SortedF(NamedTuple):
    """Batches that minimise Σ length / size², one after another; then in that order while the future peak fits.

    exact : up to so many requests the batches are found by trying all subsets, else greedily by length.
    swap : improve each greedy batch by exchanging members.
    lp : instead by the mean start in the linear relaxation of the optimal schedule: in that order where ``swap`` is
        off, else in batches grown in that order and improved. Needs SciPy (extra ``optimum``).
    """

    exact: int = 10
    swap: bool = True
    lp: bool = False

    ranges = {"exact": (0, 16)}
    uses = "length"
    guarantee = "total ≤ 48 · OPT with exact batches, large memory, exact lengths, all at time 0"
    source = "arXiv:2508.06133"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        all_at_once(requests, "sorted-f")
        prompt = requests["prompt"].astype(np.int64)
        output = np.minimum(np.ceil(requests["predicted"]), capacity - prompt).astype(np.int64)
        order = self.order(prompt, output, capacity)
        place = np.empty(len(order))
        place[order] = np.arange(len(order))
        return Plan(place[:, None])

    def order(self, prompt: Ints, output: Ints, capacity: int) -> Ints:
        """The ids in the order in which they are to start, shape (n,)."""
        if self.lp:
            by_start = np.lexsort((output, np.round(relaxed_starts(prompt, output, capacity), 6)))
            return greedy_order(prompt, output, capacity, True, by_start, False) if self.swap else by_start
        if len(prompt) <= self.exact:
            return exact_order(prompt, output, capacity)
        return greedy_order(prompt, output, capacity, self.swap, np.argsort(output, kind="mergesort"), True)

    def rank(self, view: View, i: int) -> float:
        return view.columns[i, 0]

    def admit(self, view: View, i: int) -> int:
        if len(view.running) == 0:
            return START if view.requests[i].prompt <= view.free else CHANGE
        return peak_wait(view, i, view.capacity)


def packed(prompt: Ints, output: Ints, capacity: int) -> Ints:
    """PackAndSchedule's start of each request, rounds, shape (n,).

    Raises
    ------
    PolicyError
        If a stage needs more than its 2^(r+1) rounds, which the proof rules out.
    """
    starts, began, r = np.full(len(output), -1, dtype=np.int64), 0, 0
    area = (prompt + output) * output
    while np.any(starts < 0):
        short = np.flatnonzero(output <= 1 << r)
        short = short[np.argsort(area[short], kind="mergesort")]
        stage = short[np.cumsum(area[short]) <= capacity << r]
        stage = stage[starts[stage] < 0]
        starts[stage] = began
        if listed(stage, prompt + output, output, capacity, starts) > 2 << r:
            raise PolicyError(f"pack-and-schedule: stage {r} needs more than {2 << r} rounds")
        began += 2 << r
        r += 1
    return starts


@njit()
def listed(order, width, height, capacity, starts):
    """Add to ``starts`` the instants at which list scheduling starts each rectangle; return the height used."""
    waiting = list(order)
    ends = [(0, 0)]
    ends.pop()
    now, free, last = 0, capacity, 0
    while len(waiting) > 0:
        later = [waiting[0]]
        later.pop()
        for i in waiting:
            if width[i] <= free:
                free -= width[i]
                starts[i] += now
                heappush(ends, (now + height[i], width[i]))
                last = max(last, now + height[i])
            else:
                later.append(i)
        waiting = later
        if len(waiting) > 0:
            now = ends[0][0]
            while len(ends) > 0 and ends[0][0] == now:
                free += heappop(ends)[1]
    return last


def relaxed_starts(prompt: Ints, output: Ints, capacity: int) -> npt.NDArray[np.float64]:
    """Σ_t t·x[i, t] of the linear relaxation of the optimal schedule, rounds, shape (n,): each request's mean start.

    Requests start at multiples of a grid of rounds and use per grid step what they use on average in it. The grid is
    one round, where the relaxation is exact, unless the program would then have more than some 300,000 entries.

    Raises
    ------
    InputError
        If SciPy is not installed.

    References
    ----------
    The integer program of arXiv:2502.07115, relaxed, as arXiv:2508.06133 uses it. Solved by HiGHS.
    """
    try:
        from scipy.optimize import linprog
        from scipy.sparse import csr_array
    except ImportError:
        raise InputError("sorted-f:lp=1 needs SciPy: pip install 'plimsoll[optimum]'") from None
    n, grid = len(output), 1
    while True:
        steps = -(-output // grid)
        last = listed(np.argsort(output, kind="mergesort"), prompt + output, steps, capacity, np.zeros(n, np.int64))
        if last * (n + int(steps.sum())) <= LARGEST or last == 1:
            break
        grid *= 2
    request = np.repeat(np.arange(n), steps)
    ahead = np.arange(len(request)) - np.repeat(np.cumsum(steps) - steps, steps)
    ends = np.minimum((ahead + 1) * grid, output[request])
    used = (ends - ahead * grid) * (prompt[request] + (ahead * grid + 1 + ends) / 2) / grid
    starts = np.arange(last)
    rows = (ahead[:, None] + starts).ravel()
    columns = (request[:, None] * last + starts).ravel()
    blocks = int(rows.max()) + 1
    memory = csr_array((np.repeat(used, last), (rows, columns)), shape=(blocks, n * last))
    once = csr_array((np.ones(n * last), (np.repeat(np.arange(n), last), np.arange(n * last))))
    cost = np.tile(starts.astype(np.float64), n)
    room = np.full(blocks, float(capacity))
    found = linprog(cost, A_ub=memory, b_ub=room, A_eq=once, b_eq=np.ones(n), method="highs")
    if not found.success:
        raise PolicyError(f"sorted-f: the linear program was not solved: {found.message}")
    return grid * (found.x * cost).reshape(n, last).sum(axis=1)


@njit()
def fits_together(members, count, prompt, output, capacity):
    """True if the first ``count`` of ``members``, in ascending output, can all start at once."""
    held = 0
    for x in range(count - 1, -1, -1):
        held += prompt[members[x]]
        if held + (count - x) * output[members[x]] > capacity:
            return False
    return True


@njit()
def exact_order(prompt, output, capacity):
    """Sorted-F's order with batches found among all subsets; ties: larger batch, then lower ids."""
    n = len(output)
    by_length = np.argsort(output, kind="mergesort")
    left, placed = (1 << n) - 1, 0
    order, members = np.empty(n, np.int64), np.empty(n, np.int64)
    while left:
        best, best_sum, best_size = 0, 0, 0
        subset = left
        while subset:
            size, total = 0, 0
            for i in by_length:
                if subset >> (n - 1 - i) & 1:
                    members[size] = i
                    size += 1
                    total += output[i]
            gain = best_sum * size * size - total * best_size * best_size
            better = best == 0 or gain > 0 or (gain == 0 and size > best_size)
            if better and fits_together(members, size, prompt, output, capacity):
                best, best_sum, best_size = subset, total, size
            subset = (subset - 1) & left
        for i in by_length:
            if best >> (n - 1 - i) & 1:
                order[placed] = i
                placed += 1
        left &= ~best
    return order


@njit()
def greedy_order(prompt, output, capacity, swap, left, ascending):
    """Sorted-F's order with batches grown in the order of ``left``, then improved by exchanges where ``swap``.

    ``ascending`` : ``left`` is in ascending output, so that nobody lowers F after the first who does not.
    """
    n = len(output)
    order, placed = np.empty(n, np.int64), 0
    while placed < n:
        batch = grown(left, -1, left[:0], prompt, output, capacity, ascending)
        improved = swap
        while improved:
            improved = False
            for leaver in batch:
                other = grown(left, leaver, batch, prompt, output, capacity, ascending)
                if output[other].sum() * len(batch) ** 2 < output[batch].sum() * len(other) ** 2:
                    batch, improved = other, True
                    break
        for i in batch:
            order[placed] = i
            placed += 1
        taken = np.zeros(n, np.bool_)
        taken[batch] = True
        left = left[~taken[left]]
    return order


@njit()
def grown(left, leaver, kept, prompt, output, capacity, ascending):
    """A batch in ascending output: ``kept`` without ``leaver``, then whoever of ``left`` fits and lowers F."""
    member = np.zeros(len(output), np.bool_)
    member[kept] = True
    if leaver >= 0:
        member[leaver] = False
    batch = np.empty(len(left), np.int64)
    size, total = 0, 0
    for i in left:
        if member[i]:
            batch[size] = i
            size += 1
            total += output[i]
    for i in left:
        if i == leaver or member[i]:
            continue
        if size > 0 and (total + output[i]) * size * size >= total * (size + 1) ** 2:
            if ascending:
                break
            continue
        x = size
        while x > 0 and output[batch[x - 1]] > output[i]:
            batch[x] = batch[x - 1]
            x -= 1
        batch[x] = i
        if fits_together(batch, size + 1, prompt, output, capacity):
            size += 1
            total += output[i]
        else:
            for y in range(x, size):
                batch[y] = batch[y + 1]
    return batch[:size].copy()
