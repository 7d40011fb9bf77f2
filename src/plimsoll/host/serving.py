"""The serving host as a user meets it: a trace, an engine's settings and a step time make a result in seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError, PolicyError
from ..jit import native, plain
from ..named import called
from ..policy.draw import new_dice
from ..policy.protocol import ask, failed, has, parameters
from ..policy.view import RUNNING, records
from ..progress import Progress, call
from ..steptime import StepTime, bytes_of, gpu_named, kv_blocks, model_named, parse, roofline
from ..trace import Floats, Ints, Trace
from . import steps as loop
from .advance import GAP_BINS, GAP_FLOOR, GAP_WIDTH
from .engine import CANCELLED, CLOCK, DONE, FOREVER, IN_BATCH, JOB, NONE, RULES, Engine
from .prepare import Prepared, prepare
from .queue import empty
from .result import PERCENTILES, Result
from .sharing import height, share_nothing, share_tree, shares_prefixes
from .turns import Turns, turns_of

MODES = ("vllm", "vllm-v0", "sarathi", "orca", "static")
SARATHI_TOKENS, UNBOUNDED, SAMPLES = 512, 1 << 40, 65_536
_HOOKS = ("rank", "admit", "evict", "limit", "select", "wake")
_UNSTABLE = {
    loop.STUCK: "the policy lets nobody start or run although nothing more will happen",
    loop.CHURN: "the cache overflows again and again without a completion",
}


@dataclass(frozen=True)
class Serving:
    """An engine with paged KV memory, in seconds.

    Attributes
    ----------
    steptime : seconds per step; from ``gpu`` and ``model`` where left out. A name as for ``steptime.parse`` will do.
    dtype, kv_cache_dtype : of the weights and of the KV cache, ``bf16``, ``fp8`` or ``int4``; as published, and bf16.
    price_per_hour : US dollars for one GPU; its list price where left out.
    blocks : KV blocks; from ``gpu``, ``model``, ``tp``, the dtypes and ``utilisation`` where left out.
    block_size : tokens per block.
    max_num_seqs, max_num_batched_tokens : requests, and tokens, of one step.
    mode : ``vllm`` (chunked prefill beside decodes), ``vllm-v0`` (prompts in steps of their own, before decodes),
        ``sarathi`` (as vllm, 512 tokens a step), ``orca`` (whole prompts beside decodes, memory reserved for the
        longest output), ``static`` (a batch runs to its end before the next starts; answers come at its end).
    watermark : share of the blocks that admission keeps free while anybody runs; 0.01 in ``vllm-v0``.
    prefix_caching : reuse the blocks of earlier requests and of evicted ones; left out: if the trace says what
        prompts share.
    async_scheduling : a step is scheduled while the one before it runs: arrivals and freed places count a step later.
    closed_loop : in a trace with sessions, a turn arrives ``think_s`` after the end of the turn before.
    timeout_s : the client gives up that long after the arrival.
    max_tokens : outputs are cut to this length.
    curve_s : sample running, waiting and used blocks this often; 0 for never.
    """

    gpu: str | None = None
    model: str | None = None
    tp: int = 1
    dtype: str | None = None
    kv_cache_dtype: str | None = None
    price_per_hour: float | None = None
    steptime: StepTime | str | None = None
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
    curve_s: float = 0.0

    name = "serving"
    unit = "s"

    def __post_init__(self) -> None:
        for name in ("tp", "block_size", "max_num_seqs", "max_num_batched_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"{_option(name)} must be at least 1, not {getattr(self, name)}")
        for name in ("blocks", "max_tokens"):
            given = getattr(self, name)
            if given is not None and given < 1:
                raise InputError(f"{_option(name)} must be at least 1, not {given}")
        if self.mode not in MODES:
            raise InputError(f"--mode {self.mode}: one of {', '.join(MODES)}")
        if self.watermark is not None and not 0 <= self.watermark < 1:
            raise InputError(f"--watermark must be in [0, 1), not {self.watermark}")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise InputError(f"--timeout-s must be above 0, not {self.timeout_s}")
        if self.price_per_hour is not None and not 0 <= self.price_per_hour < np.inf:
            raise InputError(f"--price-per-hour must be at least 0, not {self.price_per_hour}")

    def step_time(self) -> StepTime:
        """Seconds per step, and what they stand on."""
        if isinstance(self.steptime, StepTime):
            return self.steptime
        if self.steptime is not None:
            return parse(self.steptime)
        if self.gpu is None or self.model is None:
            raise InputError("the serving host needs --gpu and --model, or --steptime")
        return roofline(self.gpu, self.model, self.tp, self.dtype, self.kv_cache_dtype)

    def kv_blocks(self) -> int:
        """KV blocks, as given or from the GPU and the model."""
        if self.blocks is not None:
            return self.blocks
        if self.gpu is None or self.model is None:
            raise InputError("the serving host needs --blocks or --capacity, or --gpu and --model")
        return kv_blocks(
            gpu_named(self.gpu), model_named(self.model).in_dtype(self.dtype), self.tp, self.utilisation,
            self.block_size, bytes_of("--kv-cache-dtype", self.kv_cache_dtype or "bf16"), self.max_num_batched_tokens,
        )  # fmt: skip

    @property
    def basis(self) -> str:
        """What every answer of this engine stands on: measured kernels, a datasheet, or what was given."""
        law = self.step_time()
        return f"{law.name}, {law.basis}"

    def spent(self, busy_s: float, elapsed_s: float) -> dict[str, float]:
        """Energy and cost of ``elapsed_s`` seconds, ``busy_s`` of them in steps; nothing where no GPU is named."""
        if self.gpu is None:
            return {}
        gpu = gpu_named(self.gpu)
        price = gpu.price_per_hour if self.price_per_hour is None else self.price_per_hour
        energy = self.tp * (gpu.busy_w * busy_s + gpu.idle_w * (elapsed_s - busy_s))
        return {"energy_j": energy, "cost_usd": self.tp * price * elapsed_s / 3600}

    @property
    def capacity(self) -> int:
        """M, tokens."""
        return self.kv_blocks() * self.block_size

    def arrivals(self, trace: Trace) -> Floats:
        """The second at which each request arrives, shape (n,); infinite where it follows another in its session."""
        return turns_of(trace, self.closed_loop).arrival

    def run(
        self, trace: Trace, policy: Any, predictor: Any, seed: int, compiled: bool, progress: Progress | None
    ) -> Result:
        """See ``plimsoll.simulate``."""
        if self.max_tokens is not None:
            trace = replace(trace, output=np.minimum(trace.output, self.max_tokens))
        if len(trace) and trace.prompt.min() < 1:
            row = int(np.argmin(trace.prompt))
            raise InputError(f"{trace.name}: row {row + 1}, column prompt: an engine needs at least 1 token")
        trace.fitting(self.capacity)
        turns = turns_of(trace, self.closed_loop)
        # The token that a prompt's last step produces is in no step's memory yet: to a policy, an engine's request
        # is one of the discrete-round model whose prompt is a token shorter.
        seen = replace(trace, prompt=trace.prompt - 1)
        ready = prepare(seen, turns.arrival, policy, predictor, self.capacity, seed)
        law = self.step_time()
        engine = self._engine(trace, ready, turns, policy, predictor, law, seed)
        hooks = [ask(policy, hook, compiled) for hook in _HOOKS]
        hooks += [ask(predictor, hook, compiled) for hook in ("predict", "learn")]
        run = native(loop.run) if compiled else plain(loop.run)
        clocked = int(np.isfinite(turns.arrival).sum())
        began = time.perf_counter()
        try:
            call(run, *hooks, engine, clocked, float(self.curve_s), total=len(trace), progress=progress)
            while engine.clock[0].status == loop.LOG_FULL:
                engine = more_log(engine)
                call(run, *hooks, engine, clocked, float(self.curve_s), total=len(trace), progress=progress)
        except (ArithmeticError, IndexError, ValueError, TypeError) as error:
            raise failed(error, policy) from error
        wall_s = time.perf_counter() - began
        return self.result(trace, policy, ready.order, engine, wall_s)

    def rules(self, trace: Trace, policy: Any, cached: bool) -> Any:
        """The settings as the loop reads them, for a policy that it can run."""
        if getattr(policy, "whole_batches", False):
            raise PolicyError(
                f"{called(policy)} makes up a batch before its step: run it with --host rounds --prefill charged"
            )
        blocks, whole = self.kv_blocks(), self.mode in ("orca", "static")
        share = self.watermark if self.watermark is not None else 0.01 if self.mode == "vllm-v0" else 0.0
        longest = blocks * self.block_size - int(trace.prompt.max(initial=1))
        budget = min(self.max_num_batched_tokens, SARATHI_TOKENS if self.mode == "sarathi" else UNBOUNDED)
        rules = records(1, RULES)
        rules["block"], rules["blocks"], rules["sequences"] = self.block_size, blocks, self.max_num_seqs
        rules["budget"] = UNBOUNDED if whole else budget
        rules["watermark"] = int(share * blocks)
        rules["reserve"] = min(longest, self.max_tokens or int(trace.output.max(initial=1))) if whole else 0
        rules["chunked"] = self.mode in ("vllm", "sarathi")
        rules["together"], rules["static"] = self.mode != "vllm-v0", self.mode == "static"
        rules["overlapped"], rules["cached"] = self.async_scheduling, cached
        rules["selects"] = has(policy, "select")
        return rules

    def _engine(
        self, trace: Trace, ready: Prepared, turns: Turns, policy: Any, predictor: Any, law: StepTime, seed: int
    ) -> Engine:
        n, blocks = len(ready.output), self.kv_blocks()
        room = min(n, self.max_num_seqs, blocks) + 1
        cached = shares_prefixes(trace) if self.prefix_caching is None else self.prefix_caching
        back = np.argsort(ready.order, kind="mergesort")
        follows = turns.follows[ready.order]
        jobs, clock = records(n, JOB), records(1, CLOCK)
        jobs["next_turn"], jobs["deepest"] = np.where(follows >= 0, back[follows], NONE), NONE
        jobs["think"], jobs["deadline"] = turns.think[ready.order], self.deadlines(trace)[ready.order]
        for name in ("start", "first_token", "finish"):
            jobs[name] = np.nan
        clock["now"] = clock["seen"] = ready.requests["arrival"][0]
        clock["free"] = clock["fresh"] = blocks
        clock["oldest"] = clock["newest"] = clock["head"] = NONE
        clock["due"] = FOREVER
        nodes, granted = share_tree(trace, ready.order, self.block_size) if cached else share_nothing(1)
        jobs["granted"], jobs["extent"] = granted, nodes["depth"][:n]
        own = loop.LIMITS * has(policy, "limit") + loop.WAKES * has(policy, "wake")
        own += loop.LEARNS * (has(predictor, "predict") or has(predictor, "learn"))
        due, out, filling, late = np.zeros((4, room), np.int64)
        return Engine(
            self.rules(trace, policy, cached), clock, law.coefficients, own, ready.requests, ready.output, jobs,
            records(room, RUNNING), due, out, filling, late, np.zeros(self.block_size, np.int64), nodes,
            np.zeros(height(nodes["parent"]) + 1, np.int64), np.zeros(GAP_BINS),
            np.zeros((SAMPLES if self.curve_s > 0 else 0, 4)), ready.survival, parameters(policy), ready.plan.columns,
            ready.plan.memory, ready.predictor_parameters, ready.facts, ready.notes, new_dice(seed),
            empty(n), empty(n), empty(n), empty(n), np.zeros((2 * n + room, 4), np.int64),
        )  # fmt: skip

    def deadlines(self, trace: Trace) -> Floats:
        """Seconds after its arrival at which the client of each request gives up, shape (n,)."""
        after = np.full(len(trace), np.inf if self.timeout_s is None else self.timeout_s)
        if "cancel_s" in trace.more:
            cancelled = trace.more["cancel_s"].astype(np.float64)
            after = np.fmin(after, np.where(cancelled > 0, cancelled, np.inf))
        return after

    def result(self, trace: Trace, policy: Any, order: Ints, engine: Engine, wall_s: float) -> Result:
        clock = engine.clock[0]
        raise_for(int(clock.status), int(clock.fault), engine.requests, policy)
        _conserved(engine)
        back = np.argsort(order, kind="mergesort")
        attempts = engine.log[: clock.logged]
        attempts[:, 0] = order[attempts[:, 0]]
        start, first_token, finish = (np.array(engine.jobs[name])[back] for name in ("start", "first_token", "finish"))
        if self.mode == "static":
            finish = _answer_at_the_end(start, finish)
        arrival, predicted, evictions = (
            np.array(engine.requests[name])[back] for name in ("arrival", "predicted", "evictions")
        )
        length = max(float(clock.now - engine.requests["arrival"][0]), 1e-12)
        reason = _UNSTABLE.get(int(clock.status), "")
        return Result(
            "s", arrival, start, first_token, finish, trace.prompt, trace.output, predicted, evictions, attempts,
            self.capacity, int(clock.peak) * self.block_size, float(clock.area) / (self.capacity * length), wall_s,
            "unstable" if reason else "ok", reason, trace.client,
            curve=engine.curve[: clock.samples] if self.curve_s > 0 else None,
            more=self._figures(engine, length),
        )  # fmt: skip

    def _figures(self, engine: Engine, length: float) -> dict[str, float]:
        """Further figures of a run; energy and cost where the GPU is known."""
        clock = engine.clock[0]
        figures = {name: float(clock[name]) for name in ("overflows", "events")}
        figures |= {"steps": float(clock.step), "busy_s": float(clock.busy), "elapsed_s": length}
        figures |= {"recomputed_tokens": float(clock.recomputed), "cached_tokens": float(clock.hits)}
        figures["cancelled"] = float((engine.jobs["status"] == CANCELLED).sum())
        queued = engine.jobs["waited"][np.isfinite(engine.jobs["start"])]
        if len(queued):
            figures["queueing_mean_s"] = float(queued.mean())
            figures |= {f"queueing_p{p}_s": float(np.percentile(queued, p)) for p in PERCENTILES}
        gaps, seconds = engine.gaps, GAP_FLOOR * np.exp(GAP_WIDTH * (np.arange(GAP_BINS) + 0.5))
        if gaps.any():
            figures["itl_mean_s"] = float(gaps @ seconds / gaps.sum())
            places = np.searchsorted(np.cumsum(gaps), np.array(PERCENTILES) / 100 * gaps.sum())
            figures |= {f"itl_p{p}_s": float(seconds[at]) for p, at in zip(PERCENTILES, places, strict=True)}
        return figures | self.spent(float(clock.busy), length)


def more_log(engine: Engine) -> Engine:
    """The engine with twice the room for attempts, ready to go on."""
    engine.clock[0].status = loop.OK
    log = np.zeros((2 * len(engine.log), 4), np.int64)
    log[: len(engine.log)] = engine.log
    return engine._replace(log=log)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _answer_at_the_end(start: Floats, finish: Floats) -> Floats:
    """Static batches answer when their last request is done; requests of a batch share their start."""
    ended = np.isfinite(finish)
    batch, member = np.unique(start[ended], return_inverse=True)
    last = np.zeros(len(batch))
    np.maximum.at(last, member, finish[ended])
    answered = finish.copy()
    answered[ended] = last[member]
    return answered


def _conserved(engine: Engine) -> None:
    """Every token of every finished request was computed once more than it was lost, and every block came back."""
    clock, jobs = engine.clock[0], engine.jobs
    if (jobs["status"] == IN_BATCH).any():
        return
    done = jobs["status"] == DONE
    needed = int((engine.requests["prompt"] + engine.output)[done].sum())
    if clock.worked + clock.hits != needed + clock.lost or clock.free != engine.rules[0].blocks:
        raise AssertionError(
            f"tokens or blocks are not conserved: {clock.worked} computed and {clock.hits} found for {needed} needed "
            f"and {clock.lost} lost; {clock.free} of {engine.rules[0].blocks} blocks free"
        )


def raise_for(status: int, fault: int, requests: Any, policy: Any) -> None:
    name = type(policy).__name__
    if status == loop.NOT_RUNNING:
        raise PolicyError(
            f"{name}.evict or select named {fault} requests of which not all are running, or none while memory is short"
        )
    if status == loop.NAN:
        raise PolicyError(f"{name}.rank of request {fault} (prompt {requests[fault][0] + 1}) is not a number")
    if status == loop.STOPPED:
        raise KeyboardInterrupt
