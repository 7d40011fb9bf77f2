"""Cells on the processes of this machine. A process that dies takes no cell with it: it is run again."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from threading import Thread

from .cell import Cell, Row, run_cell

TRIES = 3


def run_here(cells: Iterable[Cell], workers: int) -> Iterator[tuple[Cell, Row | None]]:
    """Each cell with its row, as they finish; without one where its process died ``TRIES`` times with it alone.

    All processes share the compiled loops on disk. The first cell runs alone, so that what is not there yet is
    compiled once. When a process dies, whatever was in flight is run again one by one: only the cell that is alone
    with a death answers for it.
    """
    coming = iter(cells)
    suspects = deque((cell, 0) for cell in islice(coming, 1))
    whole = False
    while not whole:
        with ProcessPoolExecutor(workers, get_context("spawn"), _begin) as pool:
            whole = (yield from _alone(pool, suspects)) and (yield from _together(pool, coming, 2 * workers, suspects))


def _alone(
    pool: ProcessPoolExecutor, suspects: deque[tuple[Cell, int]]
) -> Generator[tuple[Cell, Row | None], None, bool]:
    """Run the suspects, each with the deaths that it has on its account, one at a time; False when the pool broke."""
    while suspects:
        cell, deaths = suspects.popleft()
        try:
            yield cell, pool.submit(run_cell, cell).result()
        except BrokenProcessPool:
            if deaths + 1 < TRIES:
                suspects.append((cell, deaths + 1))
            else:
                yield cell, None
            return False
    return True


def _together(
    pool: ProcessPoolExecutor, coming: Iterator[Cell], window: int, suspects: deque[tuple[Cell, int]]
) -> Generator[tuple[Cell, Row | None], None, bool]:
    """Run what comes, ``window`` cells at a time; when the pool breaks, what was in flight is suspect: False."""
    flying: dict[Future[Row], Cell] = {}
    while True:
        for cell in islice(coming, window - len(flying)):
            try:
                flying[pool.submit(run_cell, cell)] = cell
            except BrokenProcessPool:
                suspects.append((cell, 0))
                break
        if not flying and not suspects:
            return True
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            cell = flying.pop(future)
            try:
                yield cell, future.result()
            except BrokenProcessPool:
                suspects.append((cell, 0))
        if suspects:
            suspects.extend((cell, 0) for cell in flying.values())
            return False


def _begin() -> None:
    """In each process: end at Ctrl-C without a word, and end with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
