"""Trace files: every known format is read by its content; Parquet, CSV and Mooncake JSONL are written.

What reads and writes is imported when first used: a built-in workload needs no Polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .known import COLUMNS, parse_columns

if TYPE_CHECKING:
    from .read import read_dropping, read_file
    from .write import write_trace

_FOUND_IN = {"read_dropping": "read", "read_file": "read", "write_trace": "write"}

__all__ = ["COLUMNS", "parse_columns", "read_dropping", "read_file", "write_trace"]


def __getattr__(name: str) -> object:
    if name not in _FOUND_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_FOUND_IN[name]}", __name__), name)
