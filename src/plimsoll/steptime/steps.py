"""Steps that an engine has timed: the lines of vLLM's own log, or a table with a row for each step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .kernel import Floats

_COLUMNS = ("decodes", "context", "chunk", "earlier", "seconds")
_SIZE = re.compile(r"KV cache size: ([\d,]+) tokens")
_STEP = re.compile(
    r"Iteration\(\d+\): (\d+) context requests, (\d+) context tokens, "
    r"(\d+) generation requests, \d+ generation tokens, "
    r"iteration elapsed time: ([\d.]+) ms(?! \(dummy\))(?:, \w+ KV cache usage: ([\d.]+)%)?"
)


class Steps(NamedTuple):
    """k steps, each column of shape (k,).

    Attributes
    ----------
    decodes, context : decoding requests and their total context, tokens.
    chunk, earlier : prompt tokens and the context before them.
    seconds : measured.
    prompts : requests that the prompt tokens belong to.
    """

    decodes: Floats
    context: Floats
    chunk: Floats
    earlier: Floats
    seconds: Floats
    prompts: Floats


def read_steps(path: Path) -> Steps:
    """The steps in a file.

    Parameters
    ----------
    path : what ``vllm serve --enable-logging-iteration-details`` logs, or a CSV or Parquet file with the columns
        decodes, context, chunk, earlier, seconds and, where several prompts share a step, prompts.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, negative or not a number, or a log lacks its cache's size or
        use.
    """
    try:
        text = "" if path.suffix == ".parquet" else path.read_text(errors="replace")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    logged = _STEP.findall(text)
    return _of_log(path, text, logged) if logged else _of_table(path)


def _of_log(path: Path, text: str, logged: list[tuple[str, ...]]) -> Steps:
    """A log tells the use of the whole cache: what is not of this step's prompt tokens counts as context of decodes."""
    size = _SIZE.search(text)
    if size is None:
        raise InputError(f"{path}: no line tells the KV cache size; keep the lines of the engine's start")
    if any(not used for *_, used in logged):
        raise InputError(f"{path}: its steps do not tell the KV cache usage; vLLM does from 0.30 on")
    prompts, chunk, decodes, ms, used = np.array(logged, np.float64).T
    held = np.maximum(0.01 * used * float(size[1].replace(",", "")) - chunk, 0.0)
    mixed = decodes > 0
    return Steps(decodes, held * mixed, chunk, held * ~mixed * (chunk > 0), 1e-3 * ms, prompts)


def _of_table(path: Path) -> Steps:
    import polars as pl

    try:
        rows = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
        if "prompts" not in rows.columns:
            rows = rows.with_columns(prompts=1.0)
        rows = rows.select(pl.col(*_COLUMNS, "prompts").cast(pl.Float64))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from error
    for name in rows.columns:
        bad = rows.with_row_index().filter(~(pl.col(name) >= 0) | pl.col(name).is_null() | pl.col(name).is_infinite())
        if len(bad):
            raise InputError(f"{path}: row {bad['index'][0] + 1}, column {name}: {bad[name][0]} is not a number from 0")
    still = rows.with_row_index().filter(pl.col("seconds") == 0)
    if len(still):
        raise InputError(f"{path}: row {still['index'][0] + 1}, column seconds: must be above 0")
    return Steps(*(rows[name].to_numpy() for name in rows.columns))
