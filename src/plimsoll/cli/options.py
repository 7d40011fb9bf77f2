"""The options that every command on a trace shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .source import Whole

if TYPE_CHECKING:
    from ..experiment.goodput import Slo
    from ..experiment.setting import Made


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
    prefill: str = "free"
    "In the rounds host, free, or charged: an iteration of its own, iterations timed by --steptime linear:…."
    gpu: str | None = None
    "The serving host's GPU, as rtx-4090 or h100."
    model: str | None = None
    "Its model, as llama-3.1-8b."
    tp: Whole = 1
    "Tensor parallel degree."
    dtype: str | None = None
    "Of the weights: bf16, fp8 or int4; as published when left out."
    kv_cache_dtype: str | None = None
    "Of the KV cache: bf16 or fp8; bf16 when left out."
    price_per_hour: float | None = None
    "US dollars for one GPU; its list price when left out."
    steptime: str | None = None
    "Seconds per step: unit, linear:FIXED:PER_TOKEN, table:TOKENS=SECONDS,…, a .toml file of plimsoll steptime fit."
    blocks: Whole | None = None
    "KV blocks; from GPU and model, or from --capacity, when left out."
    block_size: Whole = 16
    "Tokens per block."
    max_num_seqs: Whole = 256
    "Most requests of a step."
    max_num_batched_tokens: Whole = 2048
    "Most tokens of a step."
    mode: str = "vllm"
    "vllm, vllm-v0, sarathi, orca or static."
    watermark: float | None = None
    "Share of the blocks that admission keeps free."
    utilisation: float = 0.9
    "Share of the GPU's memory that the engine may use."
    prefix_caching: bool | None = None
    "Reuse the blocks of earlier prompts; left out: if the trace says what prompts share."
    async_scheduling: Annotated[bool, Parameter(negative="")] = False
    "Schedule a step while the one before it runs."
    closed_loop: Annotated[bool, Parameter(negative="")] = False
    "A session's next turn comes after the one before has ended, and some thought."
    timeout_s: float | None = None
    "Clients give up that long after they came."
    max_tokens: Whole | None = None
    "Outputs are cut to this length."
    replicas: Whole = 1
    "So many of these servers, behind a router."
    fleet: str | None = None
    "A .toml file of unlike replicas; what it leaves out is as on the command line."
    router: str | None = None
    "round-robin, random, power-of-two, least-requests (the default), least-kv, least-work, matching, sticky, prefix."


@Parameter(name="*")
@dataclass(frozen=True)
class Service:
    """What is promised, and at which arrival rates to try it."""

    slo: str | None = None
    "Limits in the host's unit, as ttft<=2,tpot<=0.1 or latency<=60: goodput, the requests within them."
    rates: str | None = None
    "Further rates, in requests a second, separated by commas: every policy runs once at each."

    def limits(self) -> tuple[Slo | None, list[float]]:
        """What is promised, if anything, and the rates."""
        from ..errors import InputError
        from ..experiment.goodput import Slo

        if self.slo is None and self.rates is not None:
            raise InputError("--rates needs --slo: the limits to try at these rates")
        try:
            rates = [float(rate) for rate in self.rates.split(",")] if self.rates else []
        except ValueError:
            raise InputError(f"--rates must be numbers separated by commas, not {self.rates!r}") from None
        return (None if self.slo is None else Slo.of(self.slo)), rates


def setting(name: str, source: Source, machine: Machine) -> Made:
    """The trace, the host, and how many oversize requests were left out."""
    from ..experiment.setting import Setting

    return Setting(name, **vars(source), **vars(machine)).make()
