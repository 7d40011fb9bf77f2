"""One run of a grid: what it is given, the key that names it, and the row that it leaves."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..workload import is_named
from .run import run
from .setting import Setting

if TYPE_CHECKING:
    from ..trace import Trace

Row = dict[str, Any]
SCHEMA = 1


def _version() -> str:
    try:
        return version("plimsoll")
    except PackageNotFoundError:  # run from its sources
        return "unreleased"


VERSION = _version()


@dataclass(frozen=True)
class Cell:
    """One run of a grid."""

    setting: Setting
    policy: str
    predictor: str | None = None

    def key(self) -> str:
        """A digest of all that decides the outcome: every option, the content of every file named, the version."""
        texts = [value for value in self._given().values() if isinstance(value, str)]
        files = {part: _content(part) for text in texts for part in _parts(text) if os.path.isfile(part)}
        told = json.dumps([VERSION, SCHEMA, self._given(), files], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:24]

    def words(self) -> Row:
        """What it was given, without what was left out."""
        return {name: value for name, value in self._given().items() if value is not None}

    def _given(self) -> Row:
        return vars(self.setting) | {"policy": self.policy, "predictor": self.predictor}

    def row(self, trace: Trace | None = None) -> Row:
        """Run it. Whatever goes wrong becomes its row, with the status ``error``, so that the other cells go on.

        Parameters
        ----------
        trace : what ``setting.read`` gives, where it has been read already.
        """
        head: Row = {"schema": SCHEMA, "version": VERSION, **self.words()}
        try:
            made = self.setting.make(trace)
            done = run(made.trace, self.policy, made.host, self.predictor, self.setting.seed, rejected=made.dropped)
        except InputError as error:
            return head | {"status": "error", "reason": str(error)}
        except Exception as error:
            return head | {"status": "error", "reason": f"{type(error).__name__}: {error}"}
        return {name: value for name, value in _flat(done.to_json()) if value is not None} | head


@lru_cache(maxsize=4)
def trace_of(source: Setting) -> Trace:
    """The trace of a setting that says nothing but which requests, kept for the next cell that needs it."""
    return source.read()


def source_of(setting: Setting) -> Setting:
    """What of a setting decides the trace that ``read`` gives; of a file every seed reads the same."""
    names = ("requests", "rate", "columns", *(["seed"] if is_named(setting.trace) else []))
    return Setting(setting.trace, **{name: getattr(setting, name) for name in names})


def run_cell(cell: Cell) -> Row:
    """The row of a cell, its trace read once in each process."""
    try:
        trace = trace_of(source_of(cell.setting))
    except InputError:
        trace = None  # the cell says so itself
    return cell.row(trace)


def _flat(told: Row, above: str = "") -> list[tuple[str, Any]]:
    """The values of nested tables, with names joined by ``_``."""
    found: list[tuple[str, Any]] = []
    for name, value in told.items():
        found += _flat(value, f"{above}{name}_") if isinstance(value, dict) else [(f"{above}{name}", value)]
    return found


@lru_cache(maxsize=1024)
def _parts(text: str) -> frozenset[str]:
    """Whatever could be the path of a file in an option: the whole, and its parts between signs."""
    return frozenset(part for part in (text, *re.split(r"[:?=&,]", text)) if part)


def _content(path: str) -> str:
    stat = os.stat(path)
    return _digest(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _digest(path: str, changed: int, size: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
