"""Cells on a Ray cluster: traces placed once in the object store, each node with its own compiled loops."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ..errors import InputError
from .cell import VERSION, Cell, Row, source_of, trace_of
from .probe import complaint

PATIENCE_S = 20.0
TRIES = 3


@contextmanager
def connected(address: str, patience_s: float = PATIENCE_S) -> Generator[Any]:
    """Ray, connected to the cluster at ``address``, or to the one that runs here for ``auto``.

    Raises
    ------
    InputError
        If Ray is not installed, or the cluster does not answer in time, or does not run this version of plimsoll.
    """
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise InputError("--ray needs Ray: pip install 'plimsoll[ray]'") from error
    wrong = complaint(address, patience_s)
    if wrong:
        raise InputError(f"--ray {address}: {wrong}")
    ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    try:
        _require_plimsoll(ray, address)
        yield ray
    finally:
        ray.shutdown()


def _require_plimsoll(ray: Any, address: str) -> None:
    """Raise an InputError unless the cluster runs this version: its rows would be of another."""

    def version() -> str | None:  # sent by value, being local
        try:
            return import_module("plimsoll.experiment.cell").VERSION
        except ModuleNotFoundError:
            return None

    there = ray.get(ray.remote(num_cpus=0)(version).remote())
    if there != VERSION:
        runs = "have no plimsoll" if there is None else f"run plimsoll {there}"
        raise InputError(f"--ray {address}: its workers {runs}, this is plimsoll {VERSION}")


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
