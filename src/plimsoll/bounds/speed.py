"""How fast a host can turn memory over, at the very most: token-steps a second, the measure of load.

A step of a host with M tokens of memory holds at most M of them, so the volume spent in it is at most M; what it
takes is at least a fixed part and a part that grows with what is held. The largest quotient of the two is the speed
of a machine that no schedule can outrun.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..fleet.fleet import Fleet
from ..fleet.stages import Stages
from ..host.iterations import Iterations
from ..host.serving import Serving
from ..steptime.kernel import COUNTS, MIXED, TABLES, Floats, interpolate
from ..trace import Trace, mean_rate


def turnover(host: Any) -> float:
    """The most volume that a host can spend, token-steps per second.

    In the serving host that of decodes: a request's first token may come from a step of prompts alone.

    Parameters
    ----------
    host : rounds, iterations, serving, or a fleet; of separate stages, that for the tokens after the first.

    Examples
    --------
    >>> from plimsoll import rounds, serving
    >>> turnover(rounds(capacity=10, rounds_per_s=20))
    200.0
    >>> turnover(serving(steptime="linear:0.9:0.1", blocks=10, block_size=1))
    10.0
    """
    if isinstance(host, Iterations):
        return host.capacity / (host.step.fixed_s + host.step.per_token_s * host.capacity)
    if isinstance(host, Serving):
        return _serving(host)
    if isinstance(host, Fleet):
        return sum(_serving(replica) for replica in host.replicas)
    if isinstance(host, Stages):
        return turnover(host.decode)
    return float(host.capacity * host.rounds_per_s)


def load_of(trace: Trace, host: Any) -> float | None:
    """Arriving volume over the most that the host can turn over; above 1 the queue grows, whatever the policy.

    Returns
    -------
    None where the trace has no rate: all arrive at once, or each session has its own clock.
    """
    rate = None if trace.session is not None else mean_rate(trace.arrival)
    return None if rate is None else rate * float(trace.volume.mean()) / turnover(host)


def least_seconds(host: Serving) -> list[tuple[float, float]]:
    """(seconds, seconds per token held) that a step takes at least: of decodes alone, and beside prompts."""
    c, sequences, budget = host.step_time().coefficients, host.max_num_seqs, host.max_num_batched_tokens
    decode, tokens, seats = (int(n) for n in c[COUNTS : COUNTS + 3])
    at_tokens, at_seats = TABLES + 2 * decode, TABLES + 2 * decode + 2 * tokens
    base = _least(c, at_tokens, tokens, 1, budget) + _least(c, at_seats, seats, 0, sequences)
    b, s = float(budget), float(sequences)
    decodes = _least(c, TABLES, decode, 1, sequences)
    mixed = base + c[MIXED] + _down(c[[MIXED + 1, MIXED + 3, MIXED + 4, MIXED + 7]], [s, b, b * b, b * s])
    return [(max(0.0, decodes), float(c[0])), (max(0.0, float(mixed)), max(0.0, float(c[MIXED + 2])))]


def _serving(host: Serving) -> float:
    """The largest quotient of tokens held and seconds of a step in which somebody decodes."""
    seconds = [fixed + per_token * host.capacity for fixed, per_token in least_seconds(host)]
    return host.capacity / min(seconds) if min(seconds) > 0 else np.inf


def _down(coefficients: Any, most: list[float]) -> float:
    """The least that these terms come to, each variable between 0 and its most."""
    return float(np.minimum(coefficients, 0.0) @ np.array(most))


def _least(c: Floats, at: int, n: int, low: int, high: int) -> float:
    """The least value of a piecewise linear table between two arguments: at one of them or at a knot between."""
    knots = [float(x) for x in c[at : at + n] if low < x < high]
    return min(float(interpolate(c, at, n, float(x))) for x in (low, *knots, high))
