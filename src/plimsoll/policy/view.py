"""What a policy and a predictor may see, as plain NumPy records, and the compiled types of these."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

Columns = Any  # an array whose fields read as attributes: NumPy's types cannot say so

REQUEST = np.dtype(
    [
        ("prompt", np.int64),  # tokens
        ("predicted", np.float64),  # output tokens as predicted: never the truth
        ("lower", np.float64),  # the output is believed to be at least this, tokens
        ("upper", np.float64),  # … and at most this
        ("arrival", np.float64),  # in the host's unit: rounds or seconds
        ("generated", np.int64),  # output tokens kept from earlier attempts; 0 after a restart
        ("evictions", np.int64),  # how often it was taken back so far
        ("turn", np.int64),  # when it last started: the n-th start of the run
        ("kind", np.int64),  # its row in ``survival``
        ("client", np.int64),  # who sent it; 0 where the trace does not say
        ("scale", np.float64),  # output tokens that ratio 1 of its law stands for; 0: its ``predicted``
    ],
    align=True,
)
RUNNING = np.dtype(
    [
        ("id", np.int64),  # index into ``requests``
        ("end", np.int64),  # the step after which it is predicted to finish, later than ``step``
        ("offset", np.int64),  # it holds offset + t tokens in step t
    ],
    align=True,
)


class View(NamedTuple):
    """What a policy sees at one scheduling instant. Only ``memory`` is the policy's to write.

    A step is a round in the rounds host and a decode step in the others. The next step is ``step + 1``.
    """

    now: float  # rounds or seconds
    step: int
    capacity: int  # M, tokens
    block: int  # tokens per block; 1 in the rounds host
    free: int  # the largest context (prompt + generated), in tokens, that fits beside the running ones' next step
    over: int  # tokens by which the next step would exceed M; 0 outside ``evict``
    evicted: int  # requests evicted at this instant
    requests: Columns  # (n,) of REQUEST
    running: Columns  # (k,) of RUNNING, by ascending ``end``
    survival: Columns  # (kinds, grid points): P(output / scale > ratio), see policy.law
    columns: Columns  # (n, c) the policy's own columns, from its ``plan``
    memory: Columns  # (m,) the policy's own memory, from its ``plan``
    dice: Columns  # (6,) the state of the run's random generator, for policy.draw


class History(NamedTuple):
    """What a predictor sees when a request arrives or finishes. Requests that have not arrived yet are off limits."""

    now: float
    step: int
    requests: Columns  # (n,) of REQUEST; ``predict`` fills predicted, lower, upper, kind and scale of its request
    running: Columns  # (k,) of RUNNING
    survival: Columns  # (kinds, grid points), the predictor's to write
    columns: Columns  # (n, c) the predictor's own columns, from its ``plan``
    memory: Columns  # (m,) the predictor's own memory, from its ``plan``


INT, FLOAT = types.int64, types.float64
INTS = types.Array(INT, 1, "C")
FLOATS = types.Array(FLOAT, 1, "C")
TABLE = types.Array(FLOAT, 2, "C")
REQUESTS = types.Array(from_dtype(REQUEST), 1, "C")
BATCH = types.Array(from_dtype(RUNNING), 1, "C")
VIEW = types.NamedTuple((FLOAT, *[INT] * 6, REQUESTS, BATCH, TABLE, TABLE, FLOATS, INTS), View)
HISTORY = types.NamedTuple((FLOAT, INT, REQUESTS, BATCH, TABLE, TABLE, FLOATS), History)


def records(n: int, dtype: np.dtype[Any]) -> Columns:
    """n zeroed records whose fields read as attributes, in compiled code and in plain Python."""
    return np.zeros(n, dtype).view(np.recarray)
