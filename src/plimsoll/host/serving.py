"""The serving host as a user meets it: a trace, an engine's settings and a step time make a result in seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InputError, PolicyError
from ..policy.draw import new_dice
from ..policy.protocol import ask, failed, has, parameters
from ..policy.view import RUNNING, records
from ..progress import Progress, call
from ..steptime import StepTime, gpu_named, kv_blocks, model_named, parse, roofline
from ..trace import Floats, Ints, Trace
from . import steps as loop
from .advance import GAP_BINS, GAP_FLOOR, GAP_STEP
from .batch import State
from .engine import CANCELLED, Engine
from .prefix import Cache, empty_cache
from .prepare import Prepared, prepare
from .result import Result
from .sharing import shares_prefixes, share_tree
from .turns import Turns, turns_of

MODES = ("vllm", "vllm-v0", "sarathi", "orca", "static")
_HOOKS = ("rank", "admit", "evict", "limit", "select", "wake")
_UNSTABLE = {
    loop.STUCK: "the policy starts nobody although nothing more will happen",
    loop.CHURN: "the cache overflows again and again without a completion",
}


@dataclass(frozen=True)
class Serving:
    """An engine with paged KV memory, in seconds.

    Attributes
    ----------
    steptime : seconds per step; from ``gpu`` and ``model`` where left out. A name as for ``steptime.parse`` will do.
    blocks : KV blocks; from ``gpu``, ``model``, ``tp`` and ``utilisation`` where left out.
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
    unit: str = field(default="s", init=False)

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

    def step_time(self) -> StepTime:
        """Seconds per step, and what they stand on."""
        if isinstance(self.steptime, StepTime):
            return self.steptime
        if self.steptime is not None:
            return parse(self.steptime)
        if self.gpu is None or self.model is None:
            raise InputError("the serving host needs --gpu and --model, or --steptime")
        return roofline(self.gpu, self.model, self.tp)

    def kv_blocks(self) -> int:
        """KV blocks, as given or from the GPU and the model."""
        if self.blocks is not None:
            return self.blocks
        if self.gpu is None or self.model is None:
            raise InputError("the serving host needs --blocks, or --gpu and --model")
        return kv_blocks(
            gpu_named(self.gpu), model_named(self.model), self.tp, self.utilisation, self.block_size,
            tokens_per_step=self.max_num_batched_tokens,
        )  # fmt: skip

    @property
    def capacity(self) -> int:
        """M, tokens."""
        return self.kv_blocks() * self.block_size

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
        state, engine, cache = self._arrays(trace, ready, turns, law, seed)
        hooks = [ask(policy, hook, compiled) for hook in _HOOKS]
        hooks += [ask(predictor, hook, compiled) for hook in ("predict", "learn")]
        run = loop.run if compiled else getattr(loop.run, "py_func", loop.run)
        numbers = (parameters(policy), ready.predictor_parameters, state, engine, cache)
        static = int(np.isfinite(turns.arrival).sum())
        began = time.perf_counter()
        try:
            done = call(run, *hooks, *numbers, has(policy, "select"), static, self.curve_s, progress=progress)
        except (ArithmeticError, IndexError, ValueError, TypeError) as error:
            raise failed(error, policy) from error
        return self._result(trace, policy, ready, engine, law, done, time.perf_counter() - began)

    def _rules(self, trace: Trace, cached: bool) -> Ints:
        """The settings as ``engine`` names them, from the mode."""
        blocks, whole = self.kv_blocks(), self.mode in ("orca", "static")
        budget = {"sarathi": min(512, self.max_num_batched_tokens)}.get(self.mode, self.max_num_batched_tokens)
        share = self.watermark if self.watermark is not None else 0.01 if self.mode == "vllm-v0" else 0.0
        longest = blocks * self.block_size - int(trace.prompt.max())
        reserve = min(longest, self.max_tokens or int(trace.output.max())) if whole else 0
        chunked, together = self.mode in ("vllm", "sarathi"), self.mode != "vllm-v0"
        return np.array(
            [
                self.block_size, blocks, self.max_num_seqs, 1 << 40 if whole else budget, int(share * blocks), chunked, together,
                reserve, self.mode == "static", self.async_scheduling, cached,
            ], np.int64,
        )  # fmt: skip

    def _arrays(self, trace: Trace, ready: Prepared, turns: Turns, law: StepTime, seed: int) -> tuple[State, Engine, Cache]:
        n, blocks = len(ready.output), self.kv_blocks()
        room = min(n, self.max_num_seqs, blocks) + 1
        due, out = np.zeros((2, room), np.int64)
        state = State(
            ready.requests, ready.output, records(room, RUNNING), due, out, ready.survival, ready.plan.columns,
            ready.plan.memory, ready.facts, ready.notes, new_dice(seed),
        )  # fmt: skip
        cached = shares_prefixes(trace) if self.prefix_caching is None else self.prefix_caching
        back = np.argsort(ready.order, kind="mergesort")
        follows = turns.follows[ready.order]
        engine = Engine(
            rules=self._rules(trace, cached),
            law=law.coefficients,
            count=np.zeros(9, np.int64),
            clock=np.array([*[float(ready.requests["arrival"][0])] * 2, 0.0, 0.0, 0.0]),
            offset=np.zeros(n, np.int64),
            computed=np.zeros(n, np.int64),
            placed=np.zeros(n, np.int64),
            chunk=np.zeros(n, np.int64),
            part=np.zeros(n, np.int64),
            filling=np.zeros(room, np.int64),
            late=np.zeros(room, np.int64),
            residue=np.zeros(self.block_size, np.int64),
            begun=np.zeros(n, np.int64),
            times=np.full((n, 3), np.nan),
            stopped=np.zeros(n),
            status=np.zeros(n, np.int64),
            gaps=np.zeros(GAP_BINS),
            next_turn=np.where(follows >= 0, back[follows], -1),
            think=turns.think[ready.order],
            deadline=self._deadlines(trace)[ready.order],
            curve=np.zeros((4096 if self.curve_s > 0 else 0, 4)),
        )
        cache = share_tree(trace, ready.order, blocks, self.block_size) if cached else empty_cache(n, blocks)
        return state, engine, cache

    def _deadlines(self, trace: Trace) -> Floats:
        """Seconds after its arrival at which the client of each request gives up, shape (n,)."""
        after = np.full(len(trace), np.inf if self.timeout_s is None else self.timeout_s)
        if "cancel_s" in trace.more:
            cancelled = trace.more["cancel_s"].astype(np.float64)
            after = np.fmin(after, np.where(cancelled > 0, cancelled, np.inf))
        return after

    def _result(
        self, trace: Trace, policy: Any, ready: Prepared, engine: Engine, law: StepTime, done: Any, wall_s: float
    ) -> Result:
        status, fault, attempts, figures = done
        _raise(status, int(fault), ready.requests, policy)
        overflows, events, samples = figures.tolist()
        back = np.argsort(ready.order, kind="mergesort")
        attempts[:, 0] = ready.order[attempts[:, 0]]
        times = engine.times[back]
        if self.mode == "static":
            _answer_at_the_end(times)
        arrival, predicted, evictions = (
            np.array(ready.requests[name])[back] for name in ("arrival", "predicted", "evictions")
        )
        now, _, busy, area, peak = engine.clock.tolist()
        length = max(now - float(ready.requests["arrival"][0]), 1e-12)
        return Result(
            "s", arrival, times[:, 0], times[:, 1], times[:, 2], trace.prompt, trace.output, predicted, evictions, attempts,
            self.capacity, int(peak), area / (self.capacity * length), wall_s,
            "unstable" if status in _UNSTABLE else "ok", _UNSTABLE.get(status, ""), trace.client,
            more={
                "overflows": overflows, "events": events, "steps": float(engine.count[0]),
                "recomputed_tokens": float(engine.count[7]), "cached_tokens": float(engine.count[8]), "busy_s": busy,
                "elapsed_s": length, "cancelled": float((engine.status == CANCELLED).sum()),
            },
        )  # fmt: skip


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _answer_at_the_end(times: Floats) -> None:
    """Static batches answer when their last request is done; requests of a batch share their start."""
    for batch in np.unique(times[np.isfinite(times[:, 2]), 0]):
        rows = times[:, 0] == batch
        times[rows, 2] = np.where(np.isfinite(times[rows, 2]), np.nanmax(times[rows, 2]), np.nan)


def _raise(status: int, fault: int, requests: Any, policy: Any) -> None:
    name = type(policy).__name__
    if status == loop.NOT_RUNNING:
        raise PolicyError(
            f"{name}.evict or select named {fault} requests of which not all are running, or none while memory is short"
        )
    if status == loop.NAN:
        raise PolicyError(f"{name}.rank of request {fault} (prompt {requests[fault][0] + 1}) is not a number")
    if status == loop.STOPPED:
        raise KeyboardInterrupt
