"""The table formats that are known, each told by the names of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import InputError

COLUMNS = ("arrival_s", "prompt_tokens", "output_tokens", "session", "client", "hash_ids")
"""The columns that a caller can name, in the words of our own table form."""


@dataclass(frozen=True)
class Layout:
    """Which column of a table holds what.

    Attributes
    ----------
    name : what people call the format.
    columns : our name of a column (see ``COLUMNS``) to its name in the table.
    unit_s : seconds in one unit of the arrival column.
    absolute : whether the clock is not ours: times are then counted from the first request.
    ordered : whether rows come in order of time; a log of finished requests does not.
    """

    name: str
    columns: Mapping[str, str]
    unit_s: float = 1.0
    absolute: bool = True
    ordered: bool = True

    def found_in(self, names: list[str]) -> bool:
        """Whether a table with these columns can be of this format. Arrivals may be missing."""
        return all(self.columns[need] in names for need in ("prompt_tokens", "output_tokens"))

    def present(self, names: list[str]) -> dict[str, str]:
        """Those columns of the layout that the table has."""
        return {ours: theirs for ours, theirs in self.columns.items() if theirs in names}


OWN = Layout("plimsoll", {name: name for name in COLUMNS}, absolute=False)

TABLES = (
    OWN,
    Layout(
        "Azure LLM inference",
        {"arrival_s": "TIMESTAMP", "prompt_tokens": "ContextTokens", "output_tokens": "GeneratedTokens"},
    ),
    Layout(
        "Mooncake",
        {
            "arrival_s": "timestamp",
            "prompt_tokens": "input_length",
            "output_tokens": "output_length",
            "hash_ids": "hash_ids",
            "client": "client",
        },
        unit_s=1e-3,
    ),
    Layout(
        "BurstGPT",
        {"arrival_s": "Timestamp", "prompt_tokens": "Request tokens", "output_tokens": "Response tokens"},
    ),
    Layout(
        "Vidur",
        {
            "arrival_s": "arrived_at",
            "prompt_tokens": "num_prefill_tokens",
            "output_tokens": "num_decode_tokens",
        },
    ),
)

VLLM = Layout(
    "vLLM benchmark",
    {"arrival_s": "start_times", "prompt_tokens": "input_lens", "output_tokens": "output_lens"},
    ordered=False,
)


def layout_of(names: list[str], columns: Mapping[str, str] | None, table: str) -> Layout:
    """The layout of a table with these columns, the caller's names first.

    Raises
    ------
    InputError
        If a named column is missing, or the columns are those of no known format.
    """
    if columns:
        wanted = {name: columns.get(name, name) for name in COLUMNS}
        for ours, theirs in wanted.items():
            if theirs not in names and (ours in columns or ours in ("prompt_tokens", "output_tokens")):
                raise InputError(f"{table}: no column {theirs!r} for {ours}; it has {', '.join(names)}")
        return Layout("columns named by the caller", wanted)
    for layout in TABLES:
        if layout.found_in(names):
            return layout
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    raise InputError(
        f"{table}: unknown format, its columns are {shown}; name them with "
        "--columns arrival_s=…,prompt_tokens=…,output_tokens=…"
    )


def parse_columns(text: str) -> dict[str, str]:
    """The mapping of ``arrival_s=ts,prompt_tokens=in,output_tokens=out``.

    Examples
    --------
    >>> parse_columns("prompt_tokens=in,output_tokens=out")
    {'prompt_tokens': 'in', 'output_tokens': 'out'}
    """
    mapping: dict[str, str] = {}
    for part in text.split(","):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not equals or not theirs or ours not in COLUMNS:
            raise InputError(f"--columns: {part.strip()!r} is not NAME=COLUMN with NAME one of {', '.join(COLUMNS)}")
        if ours in mapping:
            raise InputError(f"--columns: {ours} is given twice")
        mapping[ours] = theirs
    return mapping
