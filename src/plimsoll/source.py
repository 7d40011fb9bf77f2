"""Where a trace comes from: a file, or a built-in workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from . import formats
from .errors import InputError
from .trace import Trace
from .workload import NAMED, generate, is_named


def read_trace(
    source: str | Path,
    columns: Mapping[str, str] | None = None,
    *,
    requests: int | None = None,
    rate: float | None = None,
    seed: int = 0,
    drop_empty: bool = False,
) -> Trace:
    """The trace in a file of any known format, or drawn from a built-in workload.

    Parameters
    ----------
    source : a path, or a built-in name with parameters, such as ``lmsys?rate=50&requests=10000&seed=1``.
    columns : our name of a column (``arrival_s``, ``prompt_tokens``, ``output_tokens``, ``session``,
        ``client``, ``hash_ids``) to its name in the file.
    requests : take the first so many; of a built-in workload, draw so many.
    rate : stretch the arrivals to so many requests per second.
    seed : of a built-in workload whose text names none.
    drop_empty : leave out the requests of a file that have zero output.

    Raises
    ------
    InputError
        One line that names the file, row and column, or the parameter and its range.

    Examples
    --------
    >>> len(read_trace("azure-conv", requests=100))
    100
    """
    if isinstance(source, str) and is_named(source):
        if columns:
            raise InputError(f"{source}: columns can be named for a file, not for a built-in workload")
        return replace(generate(source, requests, rate, seed), name=source)
    if isinstance(source, str) and not Path(source).exists():
        raise InputError(f"{source}: no such file, and no built-in workload; there are {', '.join(NAMED)}")
    trace = formats.read_dropping(source, columns, drop_empty=drop_empty)[0]
    if requests is not None:
        trace = trace.head(requests)
    return trace if rate is None else trace.at_rate(rate)
