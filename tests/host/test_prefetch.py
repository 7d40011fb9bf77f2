"""Asking for memory changes nothing, wherever it points."""

import numpy as np

from plimsoll.host.prefetch import prefetch
from plimsoll.jit import njit


@njit()
def ask(array, at):
    """In compiled code."""
    prefetch(array, at)
    return array.sum()


def test_nothing_happens_even_beyond_the_end():
    for array in (np.arange(6), np.arange(6.0).reshape(2, 3), np.zeros((0, 1))):
        for at in (0, 1, 10**9):
            assert ask(array, at) == array.sum()
