"""A file of results that grows: Parquet for the reader, and beside it a journal of what has just been finished.

A row is on disk as soon as its run is done: a line of the journal, folded into the Parquet file from time to time and
at the end. A killed sweep leaves both, and the next one takes them up.
"""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl

from ..atomic import replacing
from ..errors import InputError
from .cell import SCHEMA, VERSION, Row

FOLD = 500  # rows


class Store:
    """The results in ``path``; to be used in a ``with``, by one sweep at a time.

    Attributes
    ----------
    rows : all of them, by key.

    Raises
    ------
    InputError
        If the file is not one of results, or of another version, or another sweep writes to it, or it cannot be
        written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path.with_name(path.name + ".journal")
        self.rows: dict[str, Row] = {}
        self._loose = 0
        _require_ours(path)
        try:
            self._file = self.journal.open("a+", encoding="utf-8")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path}: another sweep is writing to it") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from error
        self.rows = {row["key"]: row for row in (*_kept(path), *self._told())}
        self._fold()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._fold()
        self._file.close()
        self.journal.unlink(missing_ok=True)

    def add(self, row: Row) -> None:
        """Keep a row; when this returns it is on disk."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.rows[row["key"]] = row
        self._loose += 1
        if self._loose >= max(FOLD, len(self.rows) // 10):  # all rewriting together stays in proportion to the rows
            self._fold()

    def _told(self) -> list[Row]:
        """The rows of the journal; a last line that a killed sweep left unfinished is none."""
        self._file.seek(0)
        return [json.loads(line) for line in self._file if line.endswith("\n")]

    def _fold(self) -> None:
        """Move everything into the Parquet file and empty the journal."""
        if self.rows:
            with replacing(self.path) as part:
                table(self.rows).write_parquet(part)
        self._file.seek(0)
        self._file.truncate()
        self._loose = 0


def table(rows: dict[str, Row]) -> pl.DataFrame:
    """Rows as a table: every column that any of them has, null where one has none."""
    return pl.DataFrame(list(rows.values()), infer_schema_length=None)


def _kept(path: Path) -> list[Row]:
    if not path.exists():
        return []
    rows = pl.read_parquet(path).to_dicts()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _require_ours(path: Path) -> None:
    """Raise an InputError unless the file is one of our results of this version, or is not there."""
    if not path.exists():
        return
    try:
        known: Any = pl.read_parquet(path, columns=["key", "schema", "version"]).select("schema", "version").unique()
    except (OSError, pl.exceptions.PolarsError):
        raise InputError(f"{path}: not a file of a sweep's results; name another with --out") from None
    for schema, version in known.iter_rows():
        if (schema, version) != (SCHEMA, VERSION):
            raise InputError(
                f"{path}: results of plimsoll {version} (schema {schema}), this is {VERSION} (schema {SCHEMA}); "
                "name another file with --out"
            )
