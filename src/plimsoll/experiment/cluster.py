"""Cells on a Ray cluster: traces placed once in the object store, each node with its own compiled loops."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as OverdueError
from contextlib import contextmanager
from importlib import import_module
from threading import Thread
from typing import Any

from ..errors import InputError
from .cell import Cell, Row, source_of, trace_of

PATIENCE_S = 20.0
TRIES = 3


@contextmanager
def connected(address: str, patience_s: float = PATIENCE_S) -> Generator[Any]:
    """Ray, connected to the cluster at ``address``, or to the one that runs here for ``auto``.

    Raises
    ------
    InputError
        If Ray is not installed, or the cluster does not answer in time.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what there is to say is said in one line below
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise InputError("--ray needs Ray: pip install 'plimsoll[ray]'") from error
    _require_listening(address, patience_s)
    joining: Future[None] = Future()
    Thread(target=_join, args=(ray, address, joining), daemon=True).start()
    try:
        joining.result(patience_s)
    except OverdueError:
        raise InputError(f"--ray {address}: no answer in {patience_s:g} s") from None
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise InputError(f"--ray {address}: {str(error).splitlines()[0]}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _join(ray: Any, address: str, joining: Future[None]) -> None:
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
        joining.set_result(None)
    except BaseException as error:
        joining.set_exception(error)


def run_there(ray: Any, cells: Iterable[Cell]) -> Iterator[tuple[Cell, Row | None]]:
    """Each cell with its row, as they finish; without one where its worker died ``TRIES`` times."""
    task = ray.remote(max_retries=TRIES - 1)(_row)
    window = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    traces: dict[Any, Any] = {}
    flying: dict[Any, Cell] = {}
    coming = iter(cells)
    while True:
        while len(flying) < window and (cell := next(coming, None)) is not None:
            flying[task.remote(cell, _placed(ray, cell, traces))] = cell
        if not flying:
            return
        for done in ray.wait(list(flying))[0]:
            cell = flying.pop(done)
            try:
                yield cell, ray.get(done)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError):
                yield cell, None


def _row(cell: Cell, trace: Any) -> Row:
    return cell.row(trace)


def _placed(ray: Any, cell: Cell, traces: dict[Any, Any]) -> Any:
    """The cell's trace in the object store; None where it cannot be read, which the cell then says itself."""
    source = source_of(cell.setting)
    if source not in traces:
        try:
            traces[source] = ray.put(trace_of(source))
        except InputError:
            traces[source] = None
    return traces[source]


def _require_listening(address: str, patience_s: float) -> None:
    """Raise an InputError unless something listens at HOST:PORT; ``auto`` and other names are left to Ray."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), patience_s).close()
    except TimeoutError:
        raise InputError(f"--ray {address}: no answer in {patience_s:g} s") from None
    except OSError as error:
        raise InputError(f"--ray {address}: {error.strerror or error}") from error
