"""Each request's own band in a still memory picture: the exact outlines of stacked wedges, where they are few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..host.result import Floats, Ints
from .curve import Wedges

SMALL = 1 / 1000
"""Where the mean stay covers a smaller share of the picture than this, classes of requests are shown instead."""
MOST_STAYS = 500


@dataclass(frozen=True)
class Stays:
    """The bands of a picture.

    Attributes
    ----------
    outlines : of each stay, shape (p, 2): times and tokens, along the lower edge and back along the upper.
    classes : shape (stays,), the class of each, 0 to 6.
    """

    outlines: list[Floats]
    classes: Ints


def stays(w: Wedges, classes: Ints, span: tuple[float, float], capacity: int) -> Stays | None:
    """The bands of a run, or None where they are too many or too small to be told apart.

    Parameters
    ----------
    classes : shape (n,), the class of each request.
    span : the ends of the picture's time.
    """
    area = (w.stop - w.start) * (w.held + w.grown / 2)
    if not 0 < len(w) <= MOST_STAYS or area.mean() < SMALL * (span[1] - span[0]) * capacity:
        return None
    return Stays(outlines(w), classes[w.id])


def outlines(w: Wedges) -> list[Floats]:
    """The outline of every stay; at each instant the one that stays longest lies at the bottom.

    Between two events every edge is straight; where a request enters below, an edge jumps.
    """
    edges = np.unique(np.concatenate([w.start, w.stop]))
    longest = np.argsort(-w.stop, kind="stable")
    lower: list[list[Floats]] = [[] for _ in range(len(w))]
    upper: list[list[Floats]] = [[] for _ in range(len(w))]
    for ends in np.column_stack([edges[:-1], edges[1:]]):
        here = longest[(w.start[longest] <= ends[0]) & (w.stop[longest] >= ends[1])]
        held = (w.held - w.first)[here, None] + w.clock.step(ends)
        tops = np.cumsum(held, axis=0)
        for k, low, high in zip(here, tops - held, tops, strict=True):
            lower[k].append(np.column_stack([ends, low]))
            upper[k].append(np.column_stack([ends, high]))
    return [np.concatenate([_straight(a), _straight(b)[::-1]]) for a, b in zip(lower, upper, strict=True) if a]


def _straight(pieces: list[Floats]) -> Floats:
    """One line from its pieces, without the points that lie on the straight between their neighbours."""
    line = np.concatenate(pieces)
    step = np.diff(line, axis=0)
    bend = step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0]
    return line[np.concatenate([[True], np.abs(bend) > 1e-6, [True]])]
