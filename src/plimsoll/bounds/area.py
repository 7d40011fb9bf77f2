"""Closed-form certified lower bounds on the total latency of any schedule, in O(n log n).

All bounds here speak of the discrete-round model: a request of prompt s and output o that makes its u-th
token in a round holds s + u tokens in it, and the requests of a round hold at most M together. Each bound
holds for every schedule of that model, whatever it knows, and also when requests are killed and restarted,
paused, or swapped out and recomputed with their progress kept, because it counts only the o rounds in which
the tokens of the complete answer are made. Their volumes add up to vol = s*o + o(o+1)/2 per request.

References
----------
Kong et al. (2026), arXiv:2606.22327, Prop. 3.1 and Lemma E.1 (area, processing).
Feng et al. (2026), arXiv:2607.09248, Lemmas 1, 3, 17 (kills, arrivals).
Schrage (1968), Oper. Res. 16(3): least remaining work first finishes the most by every instant.
Goemans et al. (2002), SIAM J. Discrete Math. 15(2): mean busy times and preemptive density order.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CapacityError, InputError
from ..jit import njit

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def lower_bound(arrival: Ints, prompt: Ints, output: Ints, capacity: int) -> float:
    """The best closed-form certified lower bound on total latency: the largest of this module.

    Parameters
    ----------
    arrival, prompt, output : shape (n,), rounds, tokens, tokens. Any order.
    capacity : KV cache size M, tokens.

    Returns
    -------
    float
        Rounds; an integer, since every latency is one. At most the total latency of any schedule.

    Raises
    ------
    CapacityError
        If a request can never fit (prompt + output > M).
    InputError
        If a column has the wrong shape, type or range.

    Examples
    --------
    >>> lower_bound([0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 3, 3], 5)
    10.0
    """
    a, s, o = check(arrival, prompt, output, capacity)
    if not len(a):
        return 0.0
    combined_total = combined(a, s, o, capacity)
    busy = mean_busy(a, s, o, capacity)
    # Fluid times are sums of floats; the slack keeps rounding from lifting the bound above the truth.
    return max(combined_total, float(math.ceil(busy - 1e-9 * (abs(busy) + float(a.sum()) + 1.0))))


def check(arrival: Any, prompt: Any, output: Any, capacity: int) -> tuple[Ints, Ints, Ints]:
    """The three columns as int64, or one clear line on what is wrong with them.

    Raises
    ------
    CapacityError
        If a request can never fit (prompt + output > capacity).
    InputError
        If a column has the wrong shape, holds fractions, or is out of range.
    """
    columns: list[Ints] = []
    for name, column, least in (("arrival", arrival, 0), ("prompt", prompt, 0), ("output", output, 1)):
        values = np.asarray(column)
        whole = values.astype(np.int64)
        if values.ndim != 1 or len(values) != len(np.atleast_1d(arrival)):
            raise InputError(f"{name}: expected one value per request")
        rules = ((whole != values, "whole numbers only"), (whole < least, f"must be at least {least}"))
        for wrong, rule in rules:
            if wrong.any():
                raise InputError(f"{name}: {rule}; row {int(wrong.argmax())} is {values[wrong.argmax()]}")
        columns.append(whole)
    a, s, o = columns
    if capacity < 1:
        raise InputError(f"capacity: must be at least 1, not {capacity}")
    if len(a) and int((s + o).max()) > capacity:
        i = int((s + o).argmax())
        raise CapacityError(f"row {i}: prompt {s[i]} + output {o[i]} can never fit a capacity of {capacity} tokens")
    return a, s, o


def volume(prompt: Ints, output: Ints) -> Ints:
    """Tokens held, summed over the rounds that a request runs: s*o + o(o+1)/2, shape (n,)."""
    return prompt * output + output * (output + 1) // 2


def processing(arrival: Ints, prompt: Ints, output: Ints, capacity: int) -> float:
    """Each request makes at most one token a round, so its latency is at least its output (Lemma E.1)."""
    return float(np.sum(output))


def area(arrival: Ints, prompt: Ints, output: Ints, capacity: int) -> float:
    """The earliest instants by which 1, 2, … n volumes can have been spent (Prop. 3.1; arrivals: ours).

    Proof. A schedule spends vol_i on request i between its arrival and its finish, at most M a round over all
    requests: a preemptive single machine of speed M with release dates. On that machine least remaining
    work first has, at every instant, finished as many requests as anything can (Schrage 1968), so the k-th
    finish of any schedule is no earlier than its k-th finish. With all arrivals at 0 this is
    (1/M) sum_k (n - k + 1) vol_(k).
    """
    finish = _least_remaining_first(arrival, prompt, output, capacity)
    return float(np.sum(finish / capacity) - np.sum(arrival))


def combined(arrival: Ints, prompt: Ints, output: Ints, capacity: int) -> float:
    """Area and processing together, finish by finish, in whole rounds (arrivals: ours).

    Proof. The k-th finish of any schedule is a whole round, no earlier than the k-th finish in `area` and no
    earlier than the k-th smallest arrival + output (k requests have finished, each no earlier than its own).
    The total of the finishes is at least the sum over k of the larger, rounded up.
    """
    work = -(-_least_remaining_first(arrival, prompt, output, capacity) // capacity)
    alone = np.sort(arrival + output)
    return float(np.sum(np.maximum(work, alone) - np.sort(arrival)))


def mean_busy(arrival: Ints, prompt: Ints, output: Ints, capacity: int) -> float:
    """Mean busy times: every request also waits for its own ramp, which `area` lets it spend in an instant.

    Proof. Let B_i be the mean of the instants at which request i's volume is spent, token-weighted. Its u-th
    token is made no later than round C_i - o + u, so C_i >= B_i + r_i with r_i the distance from the mean of
    its ramp to its end. Also C_i >= a_i + o_i. Hence for any shares 0 <= x_i <= 1

        sum C_i >= sum (1 - x_i)(a_i + o_i) + sum x_i r_i + min sum x_i B_i,

    where the minimum is over preemptive machines of speed M, attained by always working on the
    largest x_i / vol_i present (Goemans et al. 2002; swap any two amounts out of order). Any shares give a
    valid bound; a few steps along the supergradient B_i + r_i - a_i - o_i choose good ones.
    """
    vol = volume(prompt, output)
    ramp = _ramp(prompt, output)
    alone = (arrival + output).astype(np.float64)
    share = np.ones(len(vol))
    best = -math.inf
    for step in range(max(2, min(40, 2_000_000 // max(1, len(vol))))):
        busy = _densest_first(arrival, vol, share / vol, capacity)
        gain = busy + ramp - alone
        total = float(np.sum(alone) + np.sum(share * gain))
        best = max(best, total)
        scale = np.abs(gain).mean() + 1e-12
        share = np.clip(share + gain / scale / (1 + step), 1e-3, 1.0)
    return best - float(np.sum(arrival))


def _ramp(prompt: Ints, output: Ints) -> Floats:
    """Rounds from the token-weighted mean instant of a ramp to its end, shape (n,)."""
    s, o = prompt.astype(np.float64), output.astype(np.float64)
    moment = s * o * (o + 1) / 2 + o * (o + 1) * (2 * o + 1) / 6
    return o + 0.5 - moment / (s * o + o * (o + 1) / 2)


def _least_remaining_first(arrival: Ints, prompt: Ints, output: Ints, capacity: int) -> Ints:
    """Finishes, ascending, of least remaining volume first on a machine of speed M; in 1/M rounds, exact."""
    order = np.argsort(arrival, kind="stable")
    return _serve_least(arrival[order] * capacity, volume(prompt, output)[order])


def _densest_first(arrival: Ints, vol: Ints, density: Floats, capacity: int) -> Floats:
    """Mean busy times, rounds, of a machine of speed M that works on the largest density present."""
    order = np.argsort(arrival, kind="stable")
    busy = np.empty(len(order))
    busy[order] = _serve_densest(arrival[order] * capacity, vol[order], density[order]) / capacity
    return busy


def finishes(release: Ints, work: Ints) -> Ints:
    """Finishes, ascending, of least remaining work first on a preemptive machine that does one unit in a unit of time.

    Parameters
    ----------
    release, work : shape (n,), whole units. Any order.
    """
    order = np.argsort(release, kind="stable")
    return _serve_least(release[order], work[order])


@njit()
def _serve_least(release: Ints, work: Ints) -> Ints:  # times the speed, so that all is whole
    n = len(work)
    finish = np.empty(n, np.int64)
    heap = [np.int64(0) for _ in range(0)]
    now, done, come = release[0], 0, 0
    while done < n:
        if len(heap) == 0 and now < release[come]:
            now = release[come]
        while come < n and release[come] <= now:
            heappush(heap, work[come])
            come += 1
        left = heappop(heap)
        if come < n and now + left > release[come]:
            heappush(heap, left - (release[come] - now))
            now = release[come]
        else:
            now += left
            finish[done] = now
            done += 1
    return finish


@njit()
def _serve_densest(release: Ints, work: Ints, density: Floats) -> Floats:
    n = len(work)
    left = work.astype(np.float64)
    moment = np.zeros(n)
    heap = [(-1.0, 0) for _ in range(0)]
    now, done, come = float(release[0]), 0, 0
    while done < n:
        if len(heap) == 0 and now < release[come]:
            now = float(release[come])
        while come < n and release[come] <= now:
            heappush(heap, (-density[come], come))
            come += 1
        i = heap[0][1]
        spend = left[i]
        if come < n and now + spend > release[come]:
            spend = release[come] - now
            left[i] -= spend
        else:
            heappop(heap)
            done += 1
        moment[i] += spend * (now + spend / 2)
        now += spend
    return moment / work
