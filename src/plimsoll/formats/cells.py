"""From the cells of a table to arrays; the first cell that will not do is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..errors import InputError
from ..trace import Floats, Ints, Names


def numbers(cells: pl.Series, names: Names, column: str) -> npt.NDArray[Any]:
    """The cells as numbers, integers where the column holds integers.

    Raises
    ------
    InputError
        For the first cell that is missing or not a number.
    """
    _require_present(cells, names, column)
    if cells.dtype.is_integer() and not (cells.dtype == pl.UInt64 or cells.dtype == pl.Int128):
        return cells.cast(pl.Int64).to_numpy()
    if cells.dtype.is_numeric():
        return cells.cast(pl.Float64).to_numpy()
    text = _text(cells, names, column, "a number")
    values = text.str.strip_chars().cast(pl.Float64, strict=False)
    if cells.dtype == pl.Boolean or values.null_count():
        row = _first(values.is_null()) if values.null_count() else 0
        raise InputError(f"{names.row(row)}, column {column}: {text[row]!r} is not a number")
    return values.to_numpy()


def seconds(cells: pl.Series, names: Names, column: str) -> Floats:
    """The cells as seconds: numbers as they are, dates with times as seconds from the earliest."""
    _require_present(cells, names, column)
    stamps = cells
    if cells.dtype == pl.String and len(cells) and not _is_number(cells[0]):
        stamps = _stamps(cells)
        if stamps.null_count():
            row = _first(stamps.is_null())
            raise InputError(f"{names.row(row)}, column {column}: {cells[row]!r} is not a date with a time")
    if stamps.dtype == pl.Datetime:
        ticks = stamps.dt.timestamp("ns").to_numpy()
        return (ticks - ticks.min()) / 1e9
    return numbers(stamps, names, column).astype(np.float64)


def codes(cells: pl.Series, names: Names, column: str) -> Ints:
    """Integers as they are; anything else numbered from 0 in order of appearance."""
    _require_present(cells, names, column)
    text = _text(cells, names, column, "a name")
    whole = text.cast(pl.Int64, strict=False)
    if whole.null_count() == 0:
        return whole.to_numpy()
    order = {value: code for code, value in enumerate(text.unique(maintain_order=True))}
    return text.replace_strict(order, return_dtype=pl.Int64).to_numpy()


def spoken(cells: pl.Series) -> npt.NDArray[Any] | None:
    """The names behind ``codes`` where they are not numbers: a number holds for one file only, a name for all."""
    text = cells.cast(pl.String)
    return text.to_numpy() if text.cast(pl.Int64, strict=False).null_count() else None


def extra(cells: pl.Series) -> npt.NDArray[Any]:
    """A further column: text that is numbers throughout becomes numbers, lists become arrays, objects JSON."""
    if isinstance(cells.dtype, pl.Struct):
        cells = cells.struct.json_encode().set(cells.is_null(), None)
    elif isinstance(cells.dtype, pl.Array):
        cells = cells.arr.to_list()
    elif isinstance(cells.dtype, pl.Categorical | pl.Enum) or cells.dtype == pl.Int128:
        cells = cells.cast(pl.String)
    if cells.dtype == pl.String:
        for kind in (pl.Int64, pl.Float64):
            values = cells.cast(kind, strict=False)
            if values.null_count() == cells.null_count() and len(cells) > cells.null_count():
                return values.to_numpy()
    return cells.to_numpy()


def id_lists(cells: pl.Series, names: Names, column: str) -> npt.NDArray[Any]:
    """Lists of integers, shape (n,) of integer arrays. In a CSV they are text: ids parted by spaces."""
    _require_present(cells, names, column)
    lists = cells.str.strip_chars().str.extract_all(r"\S+") if cells.dtype == pl.String else cells
    item = lists.dtype.inner if isinstance(lists.dtype, pl.List) else None
    if not isinstance(item, pl.DataType) or not (item.is_integer() or item == pl.Null or item == pl.String):
        raise InputError(f"{names.table}: column {column} holds {cells.dtype}, not lists of block ids")
    ids = lists.cast(pl.List(pl.Int64), strict=False)
    broken = ids.list.eval(pl.element().is_null()).list.any()
    if broken.any():
        row = _first(broken)
        shown = cells[row].to_list() if isinstance(cells[row], pl.Series) else cells[row]
        raise InputError(f"{names.row(row)}, column {column}: {shown!r} is not a list of block ids, 64-bit integers")
    out = np.empty(len(ids), dtype=object)
    for row, each in enumerate(ids):
        out[row] = each.to_numpy()
    return out


def _text(cells: pl.Series, names: Names, column: str, wanted: str) -> pl.Series:
    """The cells as text. Lists, objects, bytes and durations are not what text could stand for."""
    if cells.dtype.is_nested() or cells.dtype == pl.Binary or cells.dtype == pl.Duration:
        raise InputError(f"{names.row(0)}, column {column}: {cells.dtype} is not {wanted}")
    return cells if cells.dtype == pl.String else cells.cast(pl.String)


def _stamps(cells: pl.Series) -> pl.Series:
    """Text as date-times in UTC, null where it is not one. A zone may follow, and ``T`` replace the space."""
    text = cells.str.strip_chars().str.replace("T", " ", literal=True)
    if text.str.contains(r"(Z|[+-]\d\d:?\d\d)$").first():
        text = text.str.replace(r"Z$", "+0000")
        return text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="ns", strict=False)
    return text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns", strict=False)


def _require_present(cells: pl.Series, names: Names, column: str) -> None:
    if cells.null_count():
        raise InputError(f"{names.row(_first(cells.is_null()))}, column {column}: the value is missing")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _first(mask: pl.Series) -> int:
    return int(mask.arg_max() or 0)
