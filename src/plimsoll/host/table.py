"""A result as a table of requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ..atomic import replacing
from .result import Result

TIMES = ("arrival", "start", "first_token", "finish")


def result_table(result: Result) -> pl.DataFrame:
    """One row per request in the order of the trace; times in the host's unit, null where they never came."""
    columns = {
        "id": np.arange(len(result)),
        **{name: getattr(result, name) for name in ("arrival", "prompt", "output", "predicted")},
        **{name: getattr(result, name) for name in ("start", "first_token", "finish", "evictions")},
    }
    return pl.DataFrame(columns).with_columns(pl.col(*TIMES).fill_nan(None))


def write_result(result: Result, path: Path) -> None:
    """Write the table of requests as Parquet; an existing file is replaced, or left alone when writing fails."""
    with replacing(path) as part:
        result_table(result).write_parquet(part)
