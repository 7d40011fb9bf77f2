"""Seconds of one step from a flat array of coefficients, evaluable inside compiled loops.

A step that only decodes costs ``base(D) + a*kv``: over a stretch with unchanged batch its time is a straight
line in the context, so n such steps have a closed form. A step with prompt tokens costs
``tokens(T) + sequences(S) + attention``; the attention of a pure prefill and of a mixed step are two laws,
because engines run decodes inside the prefill kernel when both are present.

Symbols: D decoding requests, kv their total context, T tokens of the step, S requests that sample a token,
P prompt tokens, P2 the sum of squared chunks, PC of chunk times earlier context, C of earlier contexts.

Layout of the array: see ``pack``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..jit import bare

Floats = npt.NDArray[np.float64]
Knots = tuple[list[float], list[float]]

PREFILL, MIXED, COUNTS, TABLES = 1, 6, 14, 17


def pack(kv: float, prefill: list[float], mixed: list[float], decode: Knots, tokens: Knots, sequences: Knots) -> Floats:
    """The coefficient array.

    Parameters
    ----------
    kv : seconds per context token of a decode-only step.
    prefill : 5 coefficients of (1, P, P2, PC, C), seconds.
    mixed : 8 coefficients of (1, D, kv, P, P2, PC, C, P*D), seconds.
    decode, tokens, sequences : knots and values (seconds) of the piecewise linear tables over D, T and S.
    """
    tables = [np.asarray(side, np.float64) for table in (decode, tokens, sequences) for side in table]
    counts = [float(len(table[0])) for table in (decode, tokens, sequences)]
    return np.concatenate([[kv], prefill, mixed, counts, *tables]).astype(np.float64)


@bare()
def interpolate(c: Floats, at: int, n: int, x: float) -> float:
    """The piecewise linear table of n knots at ``c[at:]``, continued along its outer segments."""
    if n == 1:
        return c[at + n]
    j = at + 1
    while j < at + n - 1 and c[j] < x:
        j += 1
    left, right = c[j - 1], c[j]
    return c[j + n - 1] + (c[j + n] - c[j + n - 1]) * (x - left) / (right - left)


@bare()
def decode_base(c: Floats, decodes: int) -> float:
    """Seconds of a decode-only step, without the part that grows with the context (``c[0]`` per token)."""
    return interpolate(c, TABLES, int(c[COUNTS]), float(decodes))


@bare()
def prefill_seconds(
    c: Floats,
    decodes: int,
    kv: float,
    sequences: int,
    chunk: float,
    square: float,
    cross: float,
    context: float,
) -> float:
    """Seconds of a step with prompt tokens: D, kv, S, P, P2, PC, C as in the module's text."""
    n_decode, n_tokens, n_sequences = int(c[COUNTS]), int(c[COUNTS + 1]), int(c[COUNTS + 2])
    at = TABLES + 2 * n_decode
    total = interpolate(c, at, n_tokens, decodes + chunk)
    total += interpolate(c, at + 2 * n_tokens, n_sequences, float(sequences))
    if decodes == 0:
        m = PREFILL
        return total + c[m] + c[m + 1] * chunk + c[m + 2] * square + c[m + 3] * cross + c[m + 4] * context
    m = MIXED
    total += c[m] + c[m + 1] * decodes + c[m + 2] * kv + c[m + 3] * chunk + c[m + 4] * square
    return total + c[m + 5] * cross + c[m + 6] * context + c[m + 7] * chunk * decodes
