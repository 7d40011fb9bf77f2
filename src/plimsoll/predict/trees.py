"""Boosted regression trees as plain arrays, evaluated without the library that grew them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..jit import njit
from ..trace import Floats

Whole = npt.NDArray[np.int32]


class Trees(NamedTuple):
    """A sum of trees.

    Attributes
    ----------
    base : shape (1,), what the trees are added to.
    root : shape (trees,), the first node of each tree.
    feature : shape (nodes,), the column that a node asks about; −1 in a leaf.
    split : shape (nodes,), a row goes left when its feature is at most this; in a leaf, the leaf's value.
    left, right : shape (nodes,), the nodes below.
    """

    base: Floats
    root: Whole
    feature: Whole
    split: Floats
    left: Whole
    right: Whole

    def __call__(self, dense: Floats) -> Floats:
        """The sum of all trees for each row of ``dense``, shape (n,)."""
        return add_up(self.base, self.root, self.feature, self.split, self.left, self.right, dense)


@njit()
def add_up(
    base: Floats, root: Whole, feature: Whole, split: Floats, left: Whole, right: Whole, dense: Floats
) -> Floats:
    """``Trees.__call__`` on bare arrays."""
    n = len(dense)
    total = np.full(n, base[0])
    for i in range(n):
        for t in range(len(root)):
            node = root[t]
            while feature[node] >= 0:
                node = left[node] if dense[i, feature[node]] <= split[node] else right[node]
            total[i] += split[node]
    return total
