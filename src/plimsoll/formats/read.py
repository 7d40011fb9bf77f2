"""A trace from a file in any known format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..errors import InputError
from ..trace import Floats, Names, Trace, check_rows, clock_of
from . import cells
from .known import OWN, VLLM, Layout, layout_of
from .tables import read_cells


def read_file(path: str | Path, columns: Mapping[str, str] | None = None) -> Trace:
    """Read a trace, its format told by its content.

    Parameters
    ----------
    path : Parquet, CSV, JSONL or JSON: our own table form, Azure LLM inference, Mooncake, BurstGPT, Vidur, a
        vLLM benchmark result, or any table whose columns are named by the caller.
    columns : our name of a column (see ``COLUMNS``) to its name in the file.

    Returns
    -------
    Trace with arrivals in seconds: as written in our own table form, from the first request in any other. A
    file without arrivals is a burst at time 0. Columns that mean nothing to a scheduler are kept in ``more``.

    Raises
    ------
    InputError
        One line that names the file, row (counted from 1, without the header) and column.
    """
    return read_dropping(path, columns, drop_empty=False)[0]


def read_dropping(path: str | Path, columns: Mapping[str, str] | None = None, *, drop_empty: bool) -> tuple[Trace, int]:
    """``read_file``, and how many requests with zero output were left out (0 unless ``drop_empty``)."""
    path = Path(path)
    table = read_cells(path)
    frame = table.cells
    if frame.height == 0:
        raise InputError(f"{path}: the file has no requests")
    layout = VLLM if table.benchmark else layout_of(frame.columns, columns, str(path))
    theirs = layout.present(frame.columns)
    names = Names(
        str(path),
        theirs.get("arrival_s", "arrival_s"),
        theirs["prompt_tokens"],
        theirs["output_tokens"],
        table.header_lines,
    )
    arrival = _arrivals(frame, theirs, layout, names)
    lengths = [cells.numbers(frame[theirs[name]], names, theirs[name]) for name in ("prompt_tokens", "output_tokens")]
    groups = {
        name: cells.codes(frame[theirs[name]], names, theirs[name]) for name in ("session", "client") if name in theirs
    }
    more = _further(frame, theirs, names)
    rows = _rows(arrival, lengths[1], layout, drop_empty)
    if rows is not None:
        arrival, *lengths = (values[rows] for values in (arrival, *lengths))
        groups = {name: values[rows] for name, values in groups.items()}
        more = {name: values[rows] for name, values in more.items()}
        if len(arrival) == 0:
            raise InputError(f"{path}: every request has zero output")
    check_rows(arrival, lengths[0], lengths[1], clock_of(groups.get("session"), more), names)
    if layout.absolute and "session" not in groups:
        arrival = arrival - arrival[0]
    prompt, output = (values.astype(np.int64) for values in lengths)
    trace = Trace(arrival, prompt, output, path.stem, groups.get("session"), groups.get("client"), more)
    return trace, frame.height - len(trace)


def _arrivals(frame: pl.DataFrame, theirs: dict[str, str], layout: Layout, names: Names) -> Floats:
    if "arrival_s" not in theirs:
        return np.zeros(frame.height)
    return cells.seconds(frame[names.arrival], names, names.arrival) * layout.unit_s


def _rows(arrival: Floats, output: npt.NDArray[Any], layout: Layout, drop_empty: bool) -> npt.NDArray[np.int64] | None:
    """Which rows to take, in which order; None for all as they are."""
    if layout.ordered and not drop_empty:
        return None
    order = np.arange(len(arrival)) if layout.ordered else np.argsort(arrival, kind="stable")
    return order[output[order] != 0] if drop_empty else order


def _further(frame: pl.DataFrame, theirs: dict[str, str], names: Names) -> dict[str, npt.NDArray[Any]]:
    used = set(theirs.values())
    more = {name: cells.extra(frame[name]) for name in frame.columns if name not in used}
    if "client" in theirs and (said := cells.spoken(frame[theirs["client"]])) is not None:
        more.setdefault("client_name", said)
    if "hash_ids" in theirs:
        more[OWN.columns["hash_ids"]] = cells.id_lists(frame[theirs["hash_ids"]], names, theirs["hash_ids"])
    return more
