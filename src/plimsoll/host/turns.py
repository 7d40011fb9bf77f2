"""Sessions: which request follows which, and after how long."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..trace import Floats, Ints, Trace


class Turns(NamedTuple):
    """Arrivals in the order of the trace, infinite for those that wait for the turn before to end."""

    arrival: Floats  # (n,) seconds
    follows: Ints  # (n,) row of the next turn, or -1
    think: Floats  # (n,) seconds between the end of the turn before and this arrival


def turns_of(trace: Trace, closed: bool) -> Turns:
    """The turns of a trace's sessions; without ``closed`` or sessions every request arrives by the clock.

    The time between turns is the trace's ``think_s`` where it has one, else the time between the recorded arrivals.
    The clock of a sub-agent starts at ``sub_start_s`` where the trace says so.
    """
    n = len(trace)
    began = np.nan_to_num(trace.more["sub_start_s"].astype(np.float64)) if "sub_start_s" in trace.more else 0.0
    alone = Turns(trace.arrival + began, np.full(n, -1, np.int64), np.zeros(n))
    if not closed or trace.session is None:
        return alone
    clock = trace.session.astype(np.int64)
    if "sub" in trace.more:
        pairs = np.column_stack([clock, trace.more["sub"].astype(np.int64)])
        clock = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(clock, kind="mergesort")
    same = clock[order][1:] == clock[order][:-1]
    earlier, later = order[:-1][same], order[1:][same]
    alone.follows[earlier] = later
    if "think_s" in trace.more:
        alone.think[later] = np.nan_to_num(trace.more["think_s"].astype(np.float64)[later])
    else:
        alone.think[later] = trace.arrival[later] - trace.arrival[earlier]
    alone.think[:] = np.maximum(alone.think, 0.0)
    alone.arrival[later] = np.inf
    return alone
