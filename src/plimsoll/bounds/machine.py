"""The least time of a machine that each request takes: the measure of load, and what bounds in seconds stand on.

In the serving host a request of s prompt and o output tokens makes its u-th token, u ≥ 2, in a step in which it
holds s + u − 1 tokens, and each of its s + o − 1 tokens before the last is computed in some step. Put a price on a
token held for a step, on one computed, and on one made after the first. What a step sells is then worth at most
``pace`` times its seconds, the largest quotient over all steps that the host could take. So a request worth v takes
v / pace of the host's time, whatever the schedule, and replicas side by side keep the sum of their paces.

Any price will do; the one that makes a trace take longest is the dual of the fluid that serves it fastest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..fleet.fleet import Fleet
from ..fleet.stages import Stages
from ..host.iterations import Iterations
from ..host.serving import Serving
from ..host.sharing import shares_prefixes
from ..steptime.kernel import COUNTS, MIXED, PREFILL, TABLES, Floats, decode_base, interpolate
from ..trace import Trace, mean_rate

UNBOUNDED = 1 << 40
"""Tokens of a step of whole prompts."""
_GOLDEN, _SECTIONS = 0.6180339887498949, 20


def load_of(trace: Trace, host: Any) -> float | None:
    """Machine time that arrives per second of machine; above 1 the queue grows, whatever the policy.

    Returns
    -------
    None where the trace has no rate: all arrive at once, or each session has its own clock.

    Examples
    --------
    >>> from plimsoll import rounds, serving
    >>> trace = Trace.of([(0, 3, 2), (1, 3, 2)])
    >>> load_of(trace, rounds(capacity=9, rounds_per_s=2))
    0.5
    >>> round(load_of(trace, serving(steptime="linear:0.1:0.1", blocks=8, block_size=1)), 2)
    0.45
    """
    rate = None if trace.session is not None else mean_rate(trace.arrival)
    return None if rate is None else rate * float(np.mean(least_seconds(trace, host)))


def least_seconds(trace: Trace, host: Any) -> Floats:
    """Seconds of the whole host that each request takes at least, shape (n,); 0 where nothing is certain.

    Parameters
    ----------
    host : rounds, iterations, serving, or a fleet; of separate stages, the one that has more to do.
    """
    if isinstance(host, Iterations):
        return trace.volume.astype(np.float64) * float(decode_base(host.law, 1) / host.capacity + host.law[0])
    if isinstance(host, Serving):
        return dearest(amounts(trace, host), [host])
    if isinstance(host, Fleet):
        return dearest(amounts(trace, host.replicas[0]), host.replicas)
    if isinstance(host, Stages):
        return max(_staged(trace, host), key=lambda seconds: float(seconds.sum()))
    return trace.volume.astype(np.float64) / (host.capacity * host.rounds_per_s)


def dearest(worth: Floats, replicas: Sequence[Serving]) -> Floats:
    """The most that any price proves: seconds of all replicas together that each request takes, shape (n,).

    The sum over the requests is a straight line in the price over a convex function of it, so along any line it has
    one peak.

    Parameters
    ----------
    worth : shape (n, 3), see ``amounts``.
    """
    steps = [(np.concatenate([decodes(host), prompts(host)]), count) for host, count in kinds(replicas)]
    alone = np.array([sum(count * pace(each, one) for each, count in steps) for one in np.eye(3)])
    total = worth.sum(axis=0)
    unit = np.where((total > 0) & np.isfinite(alone), 1 / alone, 0.0)

    def priced(held: float, computed: float) -> Floats:
        """Shares of the three prices, in units of which a second of the host sells one."""
        price = unit * (held, (1 - held) * computed, (1 - held) * (1 - computed))
        sold = sum(count * pace(each, price) for each, count in steps)
        return price / sold if sold > 0 else price

    def at(held: float) -> float:
        return _highest(lambda computed: float(total @ priced(held, computed)))

    held = _highest(lambda held: float(total @ priced(held, at(held))))
    return worth @ priced(held, at(held))


def kinds(replicas: Sequence[Serving]) -> list[tuple[Serving, int]]:
    """Replicas that are one and the same, with how often they occur."""
    count = Counter(map(id, replicas))
    return [(host, count[key]) for key, host in {id(host): host for host in replicas}.items()]


def amounts(trace: Trace, host: Serving) -> Floats:
    """Of each request: tokens × steps that it holds, tokens computed, and tokens made after the first; shape (n, 3).

    Where prompts share blocks, memory and prompts may be somebody else's already, and only tokens made are sure.
    """
    output = trace.output if host.max_tokens is None else np.minimum(trace.output, host.max_tokens)
    later = (output - 1).astype(np.float64)
    shared = shares_prefixes(trace) if host.prefix_caching is None else host.prefix_caching
    alone = 0.0 if shared else 1.0
    held = later * (trace.prompt + 1) + later * (later - 1) / 2
    return np.column_stack([alone * held, alone * (trace.prompt + later), later])


def pace(steps: Floats, price: Floats) -> float:
    """The most worth that these steps sell per second."""
    worth = steps[:, :3] @ price
    return float(np.max(np.divide(worth, steps[:, 3], out=np.full(len(steps), np.inf), where=steps[:, 3] > 0)))


def decodes(host: Serving) -> Floats:
    """What steps without prompts sell at most, and their seconds; shape (k, 4): held, computed, made, seconds.

    A quotient of two straight lines is largest at an end. So are listed: the knots of the table of seconds,
    each with no memory held and with all of it.
    """
    c = host.step_time().coefficients
    n = int(c[COUNTS])
    batch = _ends(c[TABLES : TABLES + n], 1, min(host.max_num_seqs, host.capacity))
    seconds = np.array([interpolate(c, TABLES, n, float(x)) for x in batch])
    empty = np.column_stack([0.0 * batch, batch, batch, seconds])
    full = np.column_stack([0.0 * batch + host.capacity, batch, batch, seconds + c[0] * host.capacity])
    return np.concatenate([empty, full])


def prompts(host: Serving) -> Floats:
    """The same of steps with prompt tokens; what attention takes by these only adds to the time, and is left out.

    A token that follows an eviction may be made by the step that computes the end of what was taken. The tokens
    computed again, in all no fewer than the request then holds, count as held in its place, and not as computed.
    Beside them, and with them within the memory, is what decodes hold; both are extreme where one of them is all.
    """
    c, seats, memory = host.step_time().coefficients, float(host.max_num_seqs), float(host.capacity)
    if min(c[PREFILL:MIXED].min(), c[MIXED:COUNTS].min()) < 0:
        return np.array([[memory, UNBOUNDED, seats, 0.0]])
    decode, tokens, sequences = (int(n) for n in c[COUNTS : COUNTS + 3])
    at_tokens, at_sequences = TABLES + 2 * decode, TABLES + 2 * (decode + tokens)
    most = host.max_num_batched_tokens if host.mode in ("vllm", "sarathi") else UNBOUNDED
    batch = _ends(np.append(c[at_tokens : at_tokens + tokens], (seats, memory)), 1, most)
    sampling = _ends(c[at_sequences : at_sequences + sequences], 0, host.max_num_seqs)
    least = min(interpolate(c, at_sequences, sequences, float(x)) for x in sampling)
    seconds = np.array([interpolate(c, at_tokens, tokens, float(x)) for x in batch]) + least
    made, alone = np.minimum(batch, seats), seconds + min(c[PREFILL], c[MIXED])
    first = np.column_stack([0.0 * batch, batch, made, alone])
    again = np.column_stack([np.minimum(batch, memory), 0.0 * batch, made, alone])
    beside = np.column_stack([0.0 * batch + memory, batch, made, seconds + c[MIXED] + c[MIXED + 2] * memory])
    return np.concatenate([first, again, beside])


def _ends(knots: Floats, low: float, high: float) -> Floats:
    return np.unique(np.concatenate([[low, high], knots[(knots > low) & (knots < high)]]))


def _highest(f: Callable[[float], float]) -> float:
    """Where in [0, 1] a function that first rises and then falls is highest: golden sections."""
    low, high = 0.0, 1.0
    left, right = 1 - _GOLDEN, _GOLDEN
    at_left, at_right = f(left), f(right)
    for _ in range(_SECTIONS):
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = f(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = f(left)
    return max((0.0, 0.5 * (low + high), 1.0), key=f)


def _staged(trace: Trace, host: Stages) -> list[Floats]:
    """Of prompts on the one fleet, and of the tokens after the first on the other, where no prompt is computed."""
    worth = amounts(trace, host.prefill.replicas[0])
    return [
        dearest(worth * only, fleet.replicas) for only, fleet in (((0, 1, 0), host.prefill), ((1, 0, 1), host.decode))
    ]
