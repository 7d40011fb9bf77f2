"""Random numbers for policies: one seeded stream per run, the same compiled or not.

The generator is the combined multiple recursive generator MRG32k3a (L'Ecuyer, Operations Research 47(1), 1999), chosen
because its arithmetic stays within 64-bit integers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..jit import njit
from .view import Columns, View

_M1, _M2 = 4294967087, 4294944443


def new_dice(seed: int) -> npt.NDArray[np.int64]:
    """The state of a generator, shape (6,)."""
    return np.random.default_rng(seed).integers(1, _M2, 6, dtype=np.int64)


@njit()
def uniform(view: View) -> float:
    """The next draw from the run's generator, in (0, 1)."""
    s = view.dice
    first = (1403580 * s[1] - 810728 * s[0]) % _M1
    second = (527612 * s[5] - 1370589 * s[3]) % _M2
    s[0], s[1], s[2] = s[1], s[2], first
    s[3], s[4], s[5] = s[4], s[5], second
    difference = (first - second) % _M1
    return (difference if difference > 0 else _M1) / (_M1 + 1)


@njit()
def cleared(view: View, share: float, out: Columns) -> int:
    """Put each running request in ``out`` with probability ``share`` > 0, until it is one at least; return their count.

    A host asks again while those that are left do not fit.
    """
    count = 0
    while count == 0:
        for x in range(len(view.running)):
            if uniform(view) < share:
                out[count] = view.running[x].id
                count += 1
    return count
