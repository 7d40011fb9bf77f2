"""A trace to a file: Parquet, CSV or Mooncake JSONL, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..atomic import replacing
from ..errors import InputError
from ..trace import LONGEST, Trace

_ENDINGS = (".parquet", ".csv", ".jsonl")


def write_trace(trace: Trace, path: str | Path) -> None:
    """Write a trace; the ending of the name chooses the format. An existing file is replaced.

    Parameters
    ----------
    trace : its further columns are written too.
    path : ``.parquet`` or ``.csv`` for our own table form, ``.jsonl`` for Mooncake's form (times in ms).

    Raises
    ------
    InputError
        If the ending is another one, the file cannot be written, the trace has sessions with their own clocks and
        the format has one clock, or a further column holds what a text file cannot.
    """
    path = Path(path)
    if path.suffix not in _ENDINGS:
        raise InputError(f"{path}: cannot tell what to write; the name should end in {', '.join(_ENDINGS)}")
    frame = to_frame(trace)
    if path.suffix != ".parquet":
        _require_readable(frame, path)
    with replacing(path) as part:
        if path.suffix == ".parquet":
            frame.write_parquet(part, compression="zstd")
        elif path.suffix == ".csv":
            _flat(frame).write_csv(part)
        else:
            _mooncake(trace, frame, path).write_ndjson(part)


def to_frame(trace: Trace) -> pl.DataFrame:
    """Our own table form: arrival_s, prompt_tokens, output_tokens, then what else the trace has."""
    columns = [
        pl.Series("arrival_s", trace.arrival),
        pl.Series("prompt_tokens", trace.prompt).cast(pl.Int32),
        pl.Series("output_tokens", trace.output).cast(pl.Int32),
    ]
    columns += [
        pl.Series(name, values) for name in ("session", "client") if (values := getattr(trace, name)) is not None
    ]
    taken = {column.name for column in columns}
    for name, values in trace.more.items():
        if name in taken:
            raise InputError(f"{trace.name}: a further column is called {name}, as one of the table form's own")
        columns.append(_series(name, values))
    return pl.DataFrame(columns)


def _series(name: str, values: npt.NDArray[Any]) -> pl.Series:
    if values.dtype != object:
        return pl.Series(name, values)
    cells = pl.Series(name, [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in values])
    if cells.dtype == pl.List(pl.Int64):
        largest = cells.explode().abs().max()
        return cells.cast(pl.List(pl.Int32)) if isinstance(largest, int) and largest <= LONGEST else cells
    return cells


def _require_readable(frame: pl.DataFrame, path: Path) -> None:
    for name, kind in frame.schema.items():
        if kind == pl.Binary or kind == pl.Duration:
            raise InputError(f"{path}: column {name} holds {kind}, which only Parquet can hold")


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """CSV has no lists: their items stand in one cell, parted by spaces."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    return frame.with_columns(pl.col(name).cast(pl.List(pl.String)).list.join(" ") for name in lists)


def _mooncake(trace: Trace, frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    if trace.session is not None:
        raise InputError(f"{path}: Mooncake JSONL has one clock, but each session of {trace.name} has its own")
    ms = trace.arrival * 1e3
    whole = np.rint(ms)
    # The published files hold whole milliseconds; anything finer keeps its fraction.
    exact = bool(np.all(np.abs(ms - whole) < 1e-6))
    stamp = pl.Series("timestamp", whole.astype(np.int64) if exact else ms)
    return frame.rename({"prompt_tokens": "input_length", "output_tokens": "output_length"}).select(
        stamp, pl.exclude("arrival_s")
    )
