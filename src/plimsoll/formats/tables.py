"""A file to a table of cells, its kind told by its first bytes; nothing is read by half."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, cast

import polars as pl

from ..errors import InputError
from .known import VLLM

SNIFFED = 1 << 16
"""Bytes at the start of a file from which its kind is told."""

_TYPED = 1000
"""Rows of a JSONL file from which the types and names of its columns are told."""


@dataclass(frozen=True)
class Table:
    """The cells of a file. Text of a CSV stays text.

    Attributes
    ----------
    cells : one column per column of the file.
    header_lines : lines before the first row of a text file; None for files without lines.
    benchmark : whether these are the per-request lists of a vLLM benchmark result.
    """

    cells: pl.DataFrame
    header_lines: int | None = None
    benchmark: bool = False


def read_cells(path: Path) -> Table:
    """The table in a Parquet, CSV, JSON or JSONL file.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged or none of these.
    """
    start = _start(path)
    if start.startswith(b"PAR1"):
        return Table(_parquet(path))
    if b"\0" in start:
        raise InputError(f"{path}: unknown format: neither Parquet nor text")
    try:
        # A character may be cut at the end of the sniffed part.
        text = start.decode("utf-8-sig", errors="strict" if len(start) < SNIFFED else "ignore")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: unknown format: neither Parquet nor UTF-8 text") from error
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    if text.lstrip().startswith(("{", "[")):
        return _json(path)
    return Table(_csv(path), header_lines=1)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SNIFFED)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _parquet(path: Path) -> pl.DataFrame:
    try:
        with path.open("rb") as file:
            return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(f"{path}: a truncated or damaged Parquet file ({_line(error)})") from error


def _csv(path: Path) -> pl.DataFrame:
    try:
        with path.open("rb") as file:
            frame = pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        _find_bad_csv_row(path)
        raise InputError(f"{path}: cannot be read as CSV ({_line(error)})") from error
    for name in frame.columns:
        if "_duplicated_" in name:
            raise InputError(f"{path}: column {name.partition('_duplicated_')[0]} appears twice")
    return _without_blank_end(frame)


def _without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows up to the last that has a value: blank lines may end a file."""
    if frame.height == 0 or any(cell is not None for cell in frame.row(-1)):
        return frame
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    blank = int(filled.reverse().arg_max() or 0) if filled.any() else frame.height
    return frame.head(frame.height - blank)


def _find_bad_csv_row(path: Path) -> None:
    """Name the first row that makes a CSV unreadable. Slow, and only run when it is."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            columns = next(rows)
            for row, cells in enumerate(rows, start=1):
                if len(cells) > len(columns):
                    raise InputError(
                        f"{path}: row {row} (line {rows.line_num}) has {len(cells)} cells, "
                        f"more than the header's {len(columns)} columns ({', '.join(columns)})"
                    )
                if any("\ufffd" in cell for cell in cells):
                    raise InputError(f"{path}: row {row} (line {rows.line_num}) is not UTF-8 text")
        except csv.Error as error:
            raise InputError(f"{path}: line {rows.line_num} is not CSV: {error}") from error


def _json(path: Path) -> Table:
    """JSONL of rows, a JSON array of rows, or vLLM benchmark results."""
    with path.open("rb") as file:
        lines = (line.decode("utf-8-sig", errors="replace").strip() for line in file)
        first = next(line for line in lines if line)
    head = _loads(first)
    if _is_object(head) and "input_lens" not in head:
        return Table(_jsonl(path), header_lines=0)
    if _is_object(head) and _count_lines(path) > 1:
        raise InputError(f"{path}: holds {_count_lines(path)} benchmark runs; keep the line of one")
    whole = head if _is_object(head) else _whole(path)
    if _is_object(whole) and "input_lens" in whole:
        return Table(_benchmark(path, whole), benchmark=True)
    if isinstance(whole, list):
        items = cast(list[object], whole)
        rows = [item for item in items if _is_object(item)]
        if len(rows) == len(items) > 0:
            return Table(_from_rows(rows))
    raise InputError(f"{path}: unknown format: JSON, but neither rows nor a vLLM benchmark result with input_lens")


def _jsonl(path: Path) -> pl.DataFrame:
    """Types are told from the first rows; where a later row differs, numbers are read as text."""
    try:
        with path.open("rb") as file:
            return pl.read_ndjson(file, infer_schema_length=_TYPED)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        _find_bad_json_row(path)
    try:
        with path.open("rb") as file:
            kinds = pl.read_ndjson(file, infer_schema_length=_TYPED, n_rows=_TYPED).schema
        text = {name: pl.String for name, kind in kinds.items() if not kind.is_nested()}
        with path.open("rb") as file:
            return pl.read_ndjson(file, infer_schema_length=_TYPED, schema_overrides=text)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return _from_rows([json.loads(line) for line in file if line.strip()])


def _find_bad_json_row(path: Path) -> None:
    """Name the first row of a JSONL file that is not an object. Slow, and only run when it is unreadable."""
    row = 0
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line, text in enumerate(file, start=1):
            row += bool(text.strip())
            if text.strip() and not _is_object(_loads(text)):
                raise InputError(f"{path}: row {row} (line {line}) is not a JSON object")


def _from_rows(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A table of rows of any types: a column of unlike types becomes text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame([_series(name, [row.get(name) for row in rows]) for name in names])


def _series(name: str, values: list[Any]) -> pl.Series:
    try:
        truths = sum(isinstance(value, bool) for value in values)
        if truths and truths + values.count(None) < len(values):
            raise TypeError("true is not 1")
        return pl.Series(name, values, strict=True)
    except (TypeError, pl.exceptions.PolarsError, OverflowError):
        text = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
        return pl.Series(name, text, dtype=pl.String)


def _benchmark(path: Path, result: dict[str, Any]) -> pl.DataFrame:
    """The per-request lists of a result of ``vllm bench serve --save-result --save-detailed``."""
    wanted = [*VLLM.columns.values(), "ttfts"]
    lists = {name: result[name] for name in wanted if isinstance(result.get(name), list)}
    sizes = {name: len(values) for name, values in lists.items()}
    if "output_lens" not in lists or len(set(sizes.values())) != 1:
        shown = ", ".join(f"{name} ({size})" for name, size in sizes.items())
        raise InputError(f"{path}: a vLLM benchmark result whose per-request lists do not match: {shown}")
    return pl.DataFrame([_series(name, values) for name, values in lists.items()])


def _whole(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8-sig", errors="replace"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno} is not JSON: {error.msg}") from error


def _loads(text: str) -> object:
    """The JSON value, or None where there is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
