"""The TRACE argument and the options that every command gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, Token

if TYPE_CHECKING:
    from ..trace import Trace


def _whole(kind: object, tokens: Sequence[Token]) -> int:
    """A whole number; without this, 1.5 would be rounded to 2 without a word."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value} is not a whole number") from None


Whole = Annotated[int, Parameter(converter=_whole)]
"""An option that is a whole number."""


def load(
    trace: str,
    *,
    requests: int | None = None,
    rate: float | None = None,
    seed: int = 0,
    columns: str | None = None,
) -> Trace:
    """The trace of the command line: a file in any known format, or a built-in workload.

    Parameters
    ----------
    trace : path, or name with parameters (``azure-conv``, ``lmsys?rate=50``).
    requests : ``--requests``, the first so many.
    rate : ``--rate``, requests per second.
    seed : ``--seed``, of a built-in workload.
    columns : ``--columns``, such as ``arrival_s=ts,prompt_tokens=in,output_tokens=out``.
    """
    from ..formats import parse_columns
    from ..source import read_trace

    mapping = None if columns is None else parse_columns(columns)
    return read_trace(trace, mapping, requests=requests, rate=rate, seed=seed)
