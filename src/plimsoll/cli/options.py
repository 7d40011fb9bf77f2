"""The options that every command on a trace shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .source import Whole

if TYPE_CHECKING:
    from ..simulation import Host
    from ..trace import Trace


@Parameter(name="*")
@dataclass(frozen=True)
class Source:
    """Which requests to schedule."""

    requests: Whole | None = None
    "The first N requests of the trace."
    rate: float | None = None
    "Rescale arrivals to R requests a second."
    columns: str | None = None
    "Names of a file's columns, as arrival_s=ts,prompt_tokens=in,output_tokens=out."
    drop_oversize: Annotated[bool, Parameter(negative="")] = False
    "Leave out, and count, requests that can never fit."
    seed: Whole = 0
    "Seed of every random draw."


@Parameter(name="*")
@dataclass(frozen=True)
class Machine:
    """What they run on."""

    capacity: Whole | None = None
    "KV cache size in tokens; a built-in workload has a default."
    host: str | None = None
    "rounds or serving; rounds unless a GPU and a model are named."
    rounds_per_s: float = 20.0
    "Rounds in a second, for arrivals in the rounds host."


def setting(name: str, source: Source, machine: Machine) -> tuple[Trace, Host, int]:
    """The trace, the host, and how many oversize requests were left out."""
    from ..errors import InputError
    from ..host.discrete import Rounds
    from .source import capacity_for, load

    if machine.host not in (None, "rounds", "serving"):
        raise InputError(f"--host must be rounds or serving, not {machine.host}")

    trace = load(name, requests=source.requests, rate=source.rate, seed=source.seed, columns=source.columns)
    capacity = capacity_for(name, machine.capacity, source.seed)
    trace, dropped = trace.fitting(capacity, drop=source.drop_oversize)
    return trace, Rounds(capacity, machine.rounds_per_s), dropped
