"""Trace files: every known format is read by its content; Parquet, CSV and Mooncake JSONL are written."""

from .known import COLUMNS, parse_columns
from .read import read_dropping, read_file
from .write import write_trace

__all__ = ["COLUMNS", "parse_columns", "read_dropping", "read_file", "write_trace"]
