"""A sweep: every cell of a grid that has no result yet is run, here or on Ray, and kept as it finishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        keys: list[str] = []
        flying: dict[Cell, str] = {}
        left = _left(grid, store, keys, flying, swept)
        tell(0, len(grid))
        for cell, row in run_here(left, workers) if cluster is None else run_there(cluster, left):
            key = flying.pop(cell)
            if row is None:
                swept.lost.append(cell)
            else:
                store.add({"key": key, **row})
                swept.ran += 1
            tell(swept.kept + swept.ran + len(swept.lost), len(grid))
        swept.rows = [store.rows[key] for key in keys if key in store.rows]
    return swept


def _left(grid: Grid, store: Store, keys: list[str], flying: dict[Cell, str], swept: Swept) -> Iterator[Cell]:
    """The cells without a result, as they are asked for; every key is noted on the way."""
    for cell in grid:
        key = cell.key()
        keys.append(key)
        if key in store.rows:
            swept.kept += 1
        else:
            flying[cell] = key
            yield cell
