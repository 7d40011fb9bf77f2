"""The real vLLM on a CPU, its core in this process, driven step by step."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from vllm import LLM, SamplingParams
from vllm.triton_utils import dispatcher

from .burst import Burst

BLOCK, BLOCKS = 32, 63  # vLLM on a CPU wants blocks of 32; memory binds at about eight of the burst's requests
LIMIT = 400  # output tokens that every request allows


class Asked(NamedTuple):
    """A burst whose answers end by themselves: each at its own stop token, which nobody but the sampler knows.

    ``limit`` is the output tokens that each request allows.
    """

    prompts: list[list[int]]
    output: np.ndarray
    stop: list[int]
    limit: np.ndarray


class Outcome(NamedTuple):
    """What became of a burst: per request the step that finished it and its tokens; all preemptions and steps."""

    finish: np.ndarray
    tokens: list[tuple[int, ...]]
    preemptions: int


@contextmanager
def llvmlite_hidden() -> Iterator[None]:
    """vLLM's CPU platform looks through the objects of all loaded modules and trips over one of llvmlite's.

    It does so whenever Numba was loaded before the engine starts in the same process, as for a second engine here.
    """
    plain = dispatcher._rebind_kernels

    def rebind(pairs: Any) -> None:
        hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("llvmlite")}
        try:
            plain(pairs)
        finally:
            sys.modules.update(hidden)

    dispatcher._rebind_kernels = rebind
    yield
    dispatcher._rebind_kernels = plain


def engine(folder: Path, plimsoll: dict[str, Any] | None = None, blocks: int = BLOCKS, **options: Any) -> LLM:
    """vLLM with a KV cache of so many blocks, stock or steered by a policy."""
    if plimsoll is not None:
        options |= {
            "scheduler_cls": "plimsoll.engine.vllm.Scheduler",
            "additional_config": {"plimsoll": plimsoll},
        }
    with llvmlite_hidden():
        return LLM(
            model=str(folder),
            skip_tokenizer_init=True,
            enforce_eager=True,
            enable_prefix_caching=False,
            block_size=BLOCK,
            num_gpu_blocks_override=blocks + 1,
            max_num_seqs=64,
            max_model_len=1024,
            dtype="float32",
            seed=0,
            disable_log_stats=False,
            **options,
        )


@contextmanager
def running(folder: Path, plimsoll: dict[str, Any] | None = None, **options: Any) -> Iterator[LLM]:
    """The same until the block ends, so that another can start in this process."""
    llm = engine(folder, plimsoll, **options)
    try:
        yield llm
    finally:
        llm.llm_engine.engine_core.shutdown()
        gc.collect()


def scheduler(llm: LLM) -> Any:
    """The scheduler inside."""
    return llm.llm_engine.engine_core.engine_core.scheduler


def prompts(burst: Burst, seed: int = 7) -> list[list[int]]:
    """Token ids that differ from request to request."""
    rng = np.random.default_rng(seed)
    return [rng.integers(3, 500, length).tolist() for length in burst.prompt]


def natural(folder: Path, burst: Burst) -> Asked:
    """The burst with stop tokens: each answer ends where a token first comes, as near its length as there is one."""
    asked = prompts(burst)
    with running(folder, blocks=60 * 25) as llm:
        most = np.full(len(asked), LIMIT)
        answers = serve(llm, Asked(asked, most, [-1] * len(asked), most)).tokens
    output, stop = np.zeros(len(asked), np.int64), []
    for i, tokens in enumerate(answers):
        first = np.array([place for place, token in enumerate(tokens) if token not in tokens[:place]])
        output[i] = 1 + first[np.argmin(np.abs(first + 1 - burst.output[i]))]
        stop.append(tokens[output[i] - 1])
    return Asked(asked, output, stop, most)


def ask(llm: LLM, asked: Asked, hints: bool = False, priorities: list[int] | None = None) -> list[str]:
    """Hand the burst to the engine, greedy. Returns the engine's own names."""
    names: list[str] = []
    for i, ids in enumerate(asked.prompts):
        params = SamplingParams(
            max_tokens=int(asked.limit[i]),
            stop_token_ids=[asked.stop[i]] if asked.stop[i] >= 0 else None,
            ignore_eos=True,
            temperature=0,
            extra_args={"predicted_output_tokens": int(asked.output[i])} if hints else None,
            detokenize=False,
        )
        before = set(scheduler(llm).requests)
        priority = priorities[i] if priorities else 0
        llm.llm_engine.add_request(str(i), {"prompt_token_ids": ids}, params, priority=priority)
        names += set(scheduler(llm).requests) - before
    return names


def serve(llm: LLM, asked: Asked, hints: bool = False, priorities: list[int] | None = None) -> Outcome:
    """Everything arrives at once; step until it is done."""
    n = len(asked.prompts)
    ask(llm, asked, hints, priorities)
    finish, tokens, preemptions, steps = np.zeros(n), [()] * n, 0, 0
    while llm.llm_engine.has_unfinished_requests():
        steps += 1
        for output in llm.llm_engine.step():
            if output.finished:
                i = int(output.request_id.split("-")[0])
                finish[i], tokens[i] = steps, tuple(output.outputs[0].token_ids)
                preemptions += output.metrics.num_preemptions
        assert steps < 50_000
    assert [len(answer) for answer in tokens] == asked.output.tolist()
    return Outcome(finish, tokens, preemptions)
