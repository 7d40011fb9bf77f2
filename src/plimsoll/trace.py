"""A trace: requests as columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CapacityError, InputError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LONGEST = 2**31 - 1
"""The greatest length of a prompt or an output, tokens: volumes then fit in 64 bits."""


@dataclass(frozen=True, eq=False)
class Trace:
    """n requests as columns, sorted by arrival (with ``session``: by arrival within each session).

    Attributes
    ----------
    arrival : shape (n,), seconds, or rounds for a trace made by hand.
    prompt : shape (n,), tokens, at least 0.
    output : shape (n,), tokens, at least 1: the true length, which no policy sees.
    name : what to call the trace in tables.
    session : shape (n,) session of each request; each session then has its own clock.
    client : shape (n,) who sent each request.
    more : any further columns of the file, by name, each of shape (n,) (``prompt_text``, ``hash_ids``, …).
        With a column ``sub`` beside ``session``, each pair (session, sub) has its own clock.

    Raises
    ------
    InputError
        If columns differ in length, a time is negative, not finite or out of order, or a length is out of
        range. Rows are counted from 1.

    Examples
    --------
    >>> Trace.of([(0, 2, 3), (1, 4, 1)]).volume
    array([12,  5])
    """

    arrival: Floats
    prompt: Ints
    output: Ints
    name: str = "trace"
    session: Ints | None = None
    client: Ints | None = None
    more: dict[str, npt.NDArray[Any]] = field(default_factory=dict[str, npt.NDArray[Any]])

    def __post_init__(self) -> None:
        for column, dtype in (("arrival", np.float64), ("prompt", np.int64), ("output", np.int64)):
            object.__setattr__(self, column, _as(getattr(self, column), dtype, f"{self.name}: column {column}"))
        for column, values in (*self._columns().items(), *self.more.items()):
            if values.shape != self.prompt.shape:
                raise InputError(f"{self.name}: column {column} has {len(values)} rows, prompt {len(self)}")
        check_rows(self.arrival, self.prompt, self.output, clock_of(self.session, self.more), Names(self.name))

    def __len__(self) -> int:
        return len(self.prompt)

    @staticmethod
    def of(requests: Iterable[tuple[float, int, int]], name: str = "trace") -> Trace:
        """A trace from (arrival, prompt, output) triples."""
        rows = np.array(list(requests), dtype=np.float64).reshape(-1, 3)
        return Trace(rows[:, 0].copy(), rows[:, 1], rows[:, 2], name)  # pyright: ignore[reportArgumentType]

    @property
    def volume(self) -> Ints:
        """Memory-time of each request, s·o + o(o+1)/2 token-rounds, shape (n,)."""
        return self.prompt * self.output + self.output * (self.output + 1) // 2

    @property
    def peak(self) -> Ints:
        """The most that each request ever holds, s + o tokens, shape (n,)."""
        return self.prompt + self.output

    def keep(self, rows: npt.NDArray[np.bool_] | slice) -> Trace:
        """The requests that a mask of shape (n,) or a slice picks, in their order."""
        columns = {name: values[rows] for name, values in self._columns().items()}
        return replace(self, **columns, more={name: values[rows] for name, values in self.more.items()})

    def head(self, requests: int) -> Trace:
        """The first requests of the trace; all of them where it has fewer."""
        if requests < 1:
            raise InputError(f"requests must be at least 1, not {requests}")
        return self if requests >= len(self) else self.keep(slice(requests))

    def at_rate(self, rate: float) -> Trace:
        """The same requests, their arrivals stretched to come at ``rate`` per second on average.

        Raises
        ------
        InputError
            If there is nothing to stretch: all arrive at once, or each session has its own clock.
        """
        if not (np.isfinite(rate) and rate > 0):
            raise InputError(f"rate must be a positive number of requests per second, not {rate}")
        if self.session is not None:
            raise InputError(f"{self.name}: a rate does not apply to sessions that each have their own clock")
        now = mean_rate(self.arrival)
        if now is None:
            raise InputError(f"{self.name}: all requests arrive at once, so their rate cannot be changed")
        return replace(self, arrival=self.arrival * (now / rate))

    def fitting(self, capacity: int, *, drop: bool = False) -> tuple[Trace, int]:
        """The requests that can ever fit in ``capacity`` tokens, and how many were left out.

        Parameters
        ----------
        capacity : KV cache size M, tokens.
        drop : leave out the requests with prompt + output > M in place of raising.

        Raises
        ------
        CapacityError
            If some can never fit and ``drop`` is false, or none remains.
        """
        oversize = self.peak > capacity
        count = int(np.count_nonzero(oversize))
        if count == 0:
            return self, 0
        row = int(np.argmax(oversize))
        if not drop or count == len(self):
            raise CapacityError(
                f"{self.name}: {count} of {len(self)} requests can never fit in {capacity} tokens (first: "
                f"row {row + 1}, prompt {self.prompt[row]} + output {self.output[row]}; the largest needs "
                f"{int(self.peak.max())})" + ("" if drop else "; --drop-oversize leaves them out")
            )
        return self.keep(~oversize), count

    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        """The columns with a field of their own that are there."""
        return {name: values for name in _FIXED if (values := getattr(self, name)) is not None}


_FIXED = ("arrival", "prompt", "output", "session", "client")


@dataclass(frozen=True)
class Names:
    """What an error message calls a table and its columns."""

    table: str
    arrival: str = "arrival"
    prompt: str = "prompt"
    output: str = "output"
    header_lines: int | None = None

    def row(self, index: int) -> str:
        """A row, counted from 1, and its line where the table is a text file with a header."""
        line = "" if self.header_lines is None else f" (line {index + 1 + self.header_lines})"
        return f"{self.table}: row {index + 1}{line}"


def mean_rate(arrival: Floats) -> float | None:
    """Arrivals per unit of time between the first and the last; None when all come at once."""
    span = float(arrival[-1] - arrival[0]) if len(arrival) else 0.0
    return (len(arrival) - 1) / span if span > 0 else None


def clock_of(session: npt.NDArray[Any] | None, more: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
    """The clock of each request, shape (n,): its session, or its pair (session, sub); None for one clock."""
    if session is None or "sub" not in more:
        return session
    _, first = np.unique(session, return_inverse=True)
    subs, second = np.unique(more["sub"], return_inverse=True)
    return first * len(subs) + second


def check_rows(
    arrival: Floats,
    prompt: npt.NDArray[Any],
    output: npt.NDArray[Any],
    clock: npt.NDArray[Any] | None,
    names: Names,
) -> None:
    """Raise an InputError for the first bad row of the first bad column. Lengths may still be floats."""
    if len(prompt) == 0:
        raise InputError(f"{names.table}: it has no requests")
    _require(np.isfinite(arrival), arrival, names, names.arrival, "is not a finite number")
    _require(arrival >= 0, arrival, names, names.arrival, "is negative")
    for lengths, column, least in ((prompt, names.prompt, 0), (output, names.output, 1)):
        if lengths.dtype.kind == "f":
            _require(np.isfinite(lengths), lengths, names, column, "is not a finite number")
            _require(np.floor(lengths) == lengths, lengths, names, column, "is not a whole number of tokens")
        _require(lengths >= 0, lengths, names, column, "is negative")
        _require(
            lengths >= least,
            lengths,
            names,
            column,
            "is less than the 1 token that a request generates at least",
        )
        _require(lengths <= LONGEST, lengths, names, column, f"is more than {LONGEST} tokens")
    _require_sorted(arrival, clock, names)


def _require_sorted(arrival: Floats, clock: npt.NDArray[Any] | None, names: Names) -> None:
    order = None if clock is None else np.argsort(clock, kind="stable")
    times = arrival if order is None else arrival[order]
    back = times[1:] < times[:-1]
    if clock is not None and order is not None:
        back &= clock[order][1:] == clock[order][:-1]
    if back.any():
        at = int(np.argmax(back))
        row, previous = (at + 1, at) if order is None else (int(order[at + 1]), int(order[at]))
        within = "" if clock is None else " within a session"
        raise InputError(
            f"{names.row(row)}, column {names.arrival}: {_shown(arrival[row])} comes after "
            f"{_shown(arrival[previous])} (row {previous + 1}): times must not go back{within}"
        )


def _require(good: npt.NDArray[np.bool_], values: npt.NDArray[Any], names: Names, column: str, why: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(f"{names.row(row)}, column {column}: {_shown(values[row])} {why}")


def _shown(value: float) -> str:
    """A number as a file would hold it: whole numbers without a fraction."""
    return str(int(value)) if np.isfinite(value) and value == np.floor(value) else str(float(value))


def _as(values: npt.ArrayLike, dtype: type[np.generic], what: str) -> npt.NDArray[Any]:
    """One-dimensional numbers in the given type, refusing a change of value."""
    given = np.asarray(values)
    if given.ndim != 1 or given.dtype.kind not in "iuf":
        raise InputError(f"{what}: one-dimensional numbers are needed, not {given.dtype} of shape {given.shape}")
    if given.dtype.kind == "f" and dtype is np.int64:
        whole = np.isfinite(given) & (np.floor(given) == given) & (np.abs(given) <= LONGEST)
        if not whole.all():
            row = int(np.argmin(whole))
            raise InputError(f"{what}, row {row + 1}: {given[row]} is not a whole number of tokens up to {LONGEST}")
    return np.ascontiguousarray(given, dtype=dtype)
