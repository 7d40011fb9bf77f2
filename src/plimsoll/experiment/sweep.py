"""A sweep: every cell of a grid that has no result yet is run, here or on Ray, and kept as it finishes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from .cell import Cell, Row
from .cluster import connected, run_there
from .grid import Grid
from .store import Store
from .workers import run_here


@dataclass
class Swept:
    """What a sweep did.

    Attributes
    ----------
    rows : of all cells of the grid that have one, whether run now or before.
    kept : cells that had a result already.
    ran : cells that have one now.
    bad : cells that are wrong in themselves, with the reason in their row.
    lost : cells whose worker died every time; they have no row, and the next sweep tries them again.
    """

    rows: list[Row] = field(default_factory=list[Row])
    kept: int = 0
    ran: int = 0
    lost: list[Cell] = field(default_factory=list[Cell])

    @property
    def bad(self) -> list[Row]:
        """The rows of the cells that could not be run."""
        return [row for row in self.rows if row["status"] == "error"]


def sweep(
    grid: Grid,
    out: Path,
    workers: int = 1,
    ray: str | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Swept:
    """Run a grid.

    Parameters
    ----------
    out : the file of results, made or taken up.
    workers : processes of this machine.
    ray : the address of a Ray cluster, or ``auto``, in their place.
    tell : called with (cells done, cells in all).

    Raises
    ------
    InputError
        If the results cannot be taken up or written, or the cluster does not answer.
    """
    swept = Swept()
    with connected(ray) if ray is not None else nullcontext() as cluster, Store(out) as store:
        keys = {cell: cell.key() for cell in grid}
        swept.kept = sum(key in store.rows for key in keys.values())
        left = (cell for cell, key in keys.items() if key not in store.rows)
        tell(swept.kept, len(keys))
        for cell, row in run_here(left, workers) if cluster is None else run_there(cluster, left):
            if row is None:
                swept.lost.append(cell)
            else:
                store.add({"key": keys[cell], **row})
                swept.ran += 1
            tell(swept.kept + swept.ran + len(swept.lost), len(keys))
        swept.rows = [store.rows[key] for key in keys.values() if key in store.rows]
    return swept
