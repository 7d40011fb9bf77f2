"""Cells on the processes of this machine. A process that dies takes no cell with it: it is run again."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread

from .cell import Cell, Row, run_cell

TRIES = 3


def run_here(cells: Iterable[Cell], workers: int) -> Iterator[tuple[Cell, Row | None]]:
    """Each cell with its row, as they finish; without one where its process died ``TRIES`` times.

    All processes share the compiled loops on disk. The first cell runs alone, so that what is not there yet is
    compiled once.
    """
    coming = iter(cells)
    again: deque[tuple[Cell, int]] = deque()
    window = 1
    while again or _another(coming, again):
        with ProcessPoolExecutor(workers, get_context("spawn"), _begin) as pool:
            yield from _until_broken(pool, coming, again, window, 2 * workers)
        window = 2 * workers


def _until_broken(
    pool: ProcessPoolExecutor, coming: Iterator[Cell], again: deque[tuple[Cell, int]], window: int, later: int
) -> Iterator[tuple[Cell, Row | None]]:
    """Run what is left, ``window`` cells at a time and ``later`` after the first; return when the pool broke.

    ``again`` then holds the cells that were in flight, each with one more try.
    """
    flying: dict[Future[Row], tuple[Cell, int]] = {}
    while True:
        while len(flying) < window and (again or _another(coming, again)):
            this = again.popleft()
            flying[pool.submit(run_cell, this[0])] = this
        if not flying:
            return
        broken = False
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            cell, tries = flying.pop(future)
            try:
                yield cell, future.result()
            except BrokenProcessPool:
                broken = True
                if tries + 1 < TRIES:
                    again.append((cell, tries + 1))
                else:
                    yield cell, None
        if broken:
            again.extend((cell, tries) for cell, tries in flying.values())
            return
        window = later


def _another(coming: Iterator[Cell], again: deque[tuple[Cell, int]]) -> bool:
    """Put the next cell in line; False where there is none."""
    cell = next(coming, None)
    if cell is not None:
        again.append((cell, 0))
    return cell is not None


def _begin() -> None:
    """In each process: end at Ctrl-C without a word, and end with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
