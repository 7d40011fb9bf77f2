"""Memory tests that policies share: does a request fit now, and will it fit to the end?"""

from __future__ import annotations

import math

from ..jit import bare, njit
from .protocol import CHANGE, START, STOP
from .view import View


@njit()
def volume(prompt: float, output: float) -> float:
    """Memory × time of a request, token-rounds: Σ (s + u) for u = 1 … o (arXiv 2606.22327, §2)."""
    return prompt * output + output * (output + 1.0) / 2.0


@bare()
def fits(view: View, i: int, reserve: float = 0.0) -> bool:
    """True if request i fits now and ``reserve`` (a share of M) stays free; an empty machine needs no reserve."""
    context = view.requests[i].prompt + view.requests[i].generated
    if len(view.running) == 0:
        return context <= view.free
    return context + reserve * view.capacity <= view.free


@bare()
def greedy_wait(view: View, i: int, reserve: float = 0.0) -> int:
    """START if request i fits now, else CHANGE; nobody starts at the instant of an eviction, as in vLLM."""
    if view.evicted > 0:
        return STOP
    return START if fits(view, i, reserve) else CHANGE


@bare()
def remaining(view: View, i: int) -> int:
    """Output tokens that request i is still predicted to need, at least 1."""
    return max(1, math.ceil(view.requests[i].predicted) - view.requests[i].generated)


@bare()
def peak_wait(view: View, i: int, capacity: float) -> int:
    """START if usage stays within ``capacity`` at every predicted completion with i started now, else how long to wait.

    Usage grows between completions, so those of the running requests up to i's own, and i's own, are the only steps to
    test (arXiv 2502.07115, §4). If usage exceeds the capacity by e at some step t, it does so for every start earlier
    than e steps from now, because a later start lowers i's part at t by one token a step: no use to ask before.
    With paged memory usage is counted in whole blocks.
    """
    end = view.step + remaining(view, i)
    base = view.requests[i].prompt + view.requests[i].generated - view.step
    running, paged = view.running, view.block > 1
    total, alive, over = base, 1, 0.0
    x = len(running) - 1
    while x >= 0 and running[x].end >= end:
        total += running[x].offset
        alive += 1
        x -= 1
    most = total + alive * end
    if paged and most <= capacity:
        over = _excess(view, x + 1, base, total, alive, end, capacity)
    while x >= 0:
        at = running[x].end
        total += running[x].offset
        alive += 1
        most = max(most, total + alive * at)
        if paged and over <= 0 and most <= capacity and (x == 0 or running[x - 1].end < at):
            over = _excess(view, x, base, total, alive, at, capacity)
        x -= 1
    excess = max(over, most - capacity)
    return START if excess <= 0 else math.ceil(excess)


@bare()
def _excess(view: View, first: int, base: int, total: int, alive: int, at: int, capacity: float) -> float:
    """Tokens, at least, by which whole blocks are over at step ``at``, for the request and ``running[first:]``.

    ``total + alive · at`` tokens fit, and at most a block less one token more is in each request's last block. Whole
    blocks are counted only where that decides. A start d steps later frees up to ⌈d/block⌉ blocks.
    """
    rounding = view.block - 1
    if total + alive * (at + rounding) <= capacity:
        return 0.0
    used = -(-(base + at) // view.block)
    for r in view.running[first:]:
        used += -(-(r.offset + at) // view.block)
    over = used * view.block - capacity
    return max(1.0, over - rounding) if over > 0 else 0.0


@bare()
def reserved_wait(view: View, i: int, capacity: float) -> int:
    """START if the predicted final sizes of all running requests and i fit together, else CHANGE."""
    total = view.requests[i].prompt + view.requests[i].generated + remaining(view, i)
    for r in view.running:
        total += r.offset + r.end
    return START if total <= capacity else CHANGE
