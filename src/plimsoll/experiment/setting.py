"""Which requests run on what, as plain values: the words of the command line, made a trace and a host."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..bounds.machine import load_of
from ..errors import InputError
from ..fleet.file import read_fleet
from ..fleet.fleet import Fleet
from ..fleet.stages import Stages
from ..formats import parse_columns
from ..host.discrete import Rounds
from ..host.iterations import Iterations
from ..host.serving import Serving
from ..policy.fluid import LinearStep
from ..source import read_trace
from ..workload import default_capacity, is_named

if TYPE_CHECKING:
    from ..simulation import Host
    from ..trace import Trace


class Made(NamedTuple):
    """A setting made real; ``dropped`` requests that can never fit were left out."""

    trace: Trace
    host: Host
    dropped: int


@dataclass(frozen=True)
class Setting:
    """One setting. ``plimsoll run --help`` says what each word means; ``load`` is beyond the command line.

    Attributes
    ----------
    load : stretch the arrivals until this share of what the host can do arrives, see ``bounds.machine``.
    """

    trace: str
    requests: int | None = None
    rate: float | None = None
    load: float | None = None
    columns: str | None = None
    drop_oversize: bool = False
    seed: int = 0
    capacity: int | None = None
    host: str | None = None
    rounds_per_s: float = 20.0
    prefill: str = "free"
    gpu: str | None = None
    model: str | None = None
    tp: int = 1
    dtype: str | None = None
    kv_cache_dtype: str | None = None
    price_per_hour: float | None = None
    steptime: str | None = None
    blocks: int | None = None
    block_size: int = 16
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    mode: str = "vllm"
    watermark: float | None = None
    utilisation: float = 0.9
    prefix_caching: bool | None = None
    async_scheduling: bool = False
    closed_loop: bool = False
    timeout_s: float | None = None
    max_tokens: int | None = None
    replicas: int = 1
    fleet: str | None = None
    router: str | None = None

    def read(self) -> Trace:
        """The requests as they come, before the host has its say."""
        mapping = None if self.columns is None else parse_columns(self.columns)
        return read_trace(self.trace, mapping, requests=self.requests, rate=self.rate, seed=self.seed)

    def machine(self) -> Host:
        """The host.

        Raises
        ------
        InputError
            If an option is out of range, or what it needs is missing.
        """
        if self.host not in (None, "rounds", "serving"):
            raise InputError(f"--host must be rounds or serving, not {self.host}")
        several = self.fleet is not None or self.replicas != 1
        if self.router is not None and not several:
            raise InputError("--router needs --replicas or --fleet")
        named = self.gpu is not None and self.model is not None
        if self.host == "serving" or (self.host is None and (named or self.fleet is not None)):
            return self._fleet() if several else self._serving(self._options())
        if self.host is None and (self.gpu is None) != (self.model is None):
            given, lacks = ("--gpu", "--model") if self.model is None else ("--model", "--gpu")
            raise InputError(f"{given} needs {lacks}, or say --host rounds or serving")
        if several:
            raise InputError("--replicas and --fleet need the serving host: --gpu and --model, or --host serving")
        capacity = capacity_for(self.trace, self.capacity, self.seed)
        if self.prefill == "charged":
            return _iterations(capacity, self.steptime)
        if self.prefill != "free":
            raise InputError(f"--prefill must be free or charged, not {self.prefill}")
        return Rounds(capacity, self.rounds_per_s)

    def make(self, trace: Trace | None = None) -> Made:
        """The trace, cut and stretched as the setting says, and the host.

        Parameters
        ----------
        trace : what ``read`` gives, where it has been read already.
        """
        if self.load is not None and self.rate is not None:
            raise InputError("give rate or load, not both")
        host = self.machine()
        trace = self.read() if trace is None else trace
        if self.max_tokens is not None:
            trace = replace(trace, output=np.minimum(trace.output, self.max_tokens))
        largest = host.largest if isinstance(host, Fleet | Stages) else host.capacity
        trace, dropped = trace.fitting(largest, drop=self.drop_oversize)
        if self.load is not None:
            trace = _at_load(trace, host, self.load)
        return Made(trace, host, dropped)

    def _options(self) -> dict[str, Any]:
        """The options of one replica."""
        return {field.name: getattr(self, field.name) for field in fields(Serving) if hasattr(self, field.name)}

    def _serving(self, given: dict[str, Any]) -> Serving:
        named = self.gpu is not None and self.model is not None
        if self.blocks is None and (self.capacity is not None or (not named and is_named(self.trace))):
            given["blocks"] = capacity_for(self.trace, self.capacity, self.seed) // max(1, self.block_size)
        return Serving(**given)

    def _fleet(self) -> Fleet | Stages:
        router = self.router or "least-requests"
        if self.fleet is not None:
            if self.replicas != 1:
                raise InputError("give --replicas or --fleet, not both")
            return read_fleet(Path(self.fleet), self._options(), router)
        if self.replicas < 1:
            raise InputError(f"--replicas must be at least 1, not {self.replicas}")
        return Fleet([self._serving(self._options())] * self.replicas, router)


def capacity_for(trace: str, capacity: int | None, seed: int = 0) -> int:
    """``--capacity`` in tokens, or the default of a built-in workload."""
    if capacity is None:
        if not is_named(trace):
            raise InputError(f"{trace}: a file has no default capacity; give --capacity TOKENS")
        return default_capacity(trace, seed)
    if capacity < 1:
        raise InputError(f"--capacity must be at least 1 token, not {capacity}")
    return capacity


def _at_load(trace: Trace, host: Host, wanted: float) -> Trace:
    if not (np.isfinite(wanted) and wanted > 0):
        raise InputError(f"load must be above 0, not {wanted}")
    now = load_of(trace, host)
    if now is None:
        raise InputError(f"{trace.name}: all requests arrive at once or by several clocks, so no load can be set")
    return replace(trace, arrival=trace.arrival * (now / wanted))


def _iterations(capacity: int, steptime: str | None) -> Host:
    if steptime is None:
        return Iterations(capacity)
    kind, *numbers = steptime.split(":")
    try:
        fixed_s, per_token_s = (float(number) for number in numbers)
    except ValueError:
        kind, fixed_s, per_token_s = "", 0.0, 0.0
    if kind != "linear":
        raise InputError(f"--prefill charged needs --steptime linear:FIXED:PER_TOKEN, in seconds, not {steptime}")
    return Iterations(capacity, LinearStep(fixed_s, per_token_s))
