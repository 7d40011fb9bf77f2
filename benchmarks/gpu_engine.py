"""A real engine with random weights under memory pressure: FCFS against SVF, 1-bit SVF and MC-SF.

Needs torch and transformers, and vLLM for ``--engine vllm``; a GPU, or a CPU with ``--shape tiny``. The weights are
random in the shape of Llama-3.1-8B, so nothing is downloaded; answers have the lengths of the trace. The KV cache is
limited so that memory binds. Writes one JSON object: per arm latency, TTFT, time per output token, throughput,
preemptions, and the coefficients of a step's time.

    python benchmarks/gpu_engine.py --out results.json
    python benchmarks/gpu_engine.py --shape tiny --requests 24 --blocks 63 --out /tmp/results.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import plimsoll

LLAMA_8B = {
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 128256, "max_position_embeddings": 16384,
}  # fmt: skip
TINY = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 512, "max_position_embeddings": 8192,
}  # fmt: skip
BLOCK = {"transformers": 16, "vllm": 32}  # vLLM on a CPU wants multiples of 32
BUDGET = 2048  # tokens of a step
COLUMNS = ("prefill_tokens", "decoding", "context_tokens", "seconds")


class Asked(NamedTuple):
    """The requests: prompt and output lengths, and when they come, seconds."""

    prompt: np.ndarray
    output: np.ndarray
    arrival: np.ndarray


class Served(NamedTuple):
    """Per request the seconds since the start of its first token and its end; preemptions; steps by ``COLUMNS``."""

    first: np.ndarray
    finish: np.ndarray
    preemptions: int
    steps: np.ndarray


def requests_of(n: int, rate: float, scale: float, seed: int) -> Asked:
    """Lengths of azure-conv times ``scale``; Poisson arrivals, or everything at once for an infinite rate."""
    trace = plimsoll.read_trace("azure-conv", requests=n)
    gaps = np.random.default_rng(seed).exponential(1.0, n)
    arrival = np.zeros(n) if np.isinf(rate) else np.cumsum(gaps) / rate
    lengths = (np.maximum(1, (column * scale).astype(int)) for column in (trace.prompt, trace.output))
    return Asked(*lengths, arrival)


def proxies(asked: Asked) -> tuple[float, float, float]:
    """The threshold of one bit and what stands for short and for long: the means on either side of the median."""
    theta = float(np.median(asked.output))
    long = asked.output > theta
    return theta, float(asked.output[~long].mean()), float(asked.output[long].mean() if long.any() else theta + 1)


class Transformers:
    """Continuous batching of transformers."""

    def __init__(self, shape: dict[str, int], blocks: int) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
        with torch.device(device):
            self.model = LlamaForCausalLM(LlamaConfig(**shape, attn_implementation="sdpa")).eval()
        torch.set_default_dtype(torch.float32)
        self.blocks = blocks

    def serve(self, arm: str, asked: Asked) -> Served:
        """Hand each request over at its time and wait for the last."""
        from transformers import GenerationConfig
        from transformers.generation.configuration_utils import ContinuousBatchingConfig

        config = ContinuousBatchingConfig(
            scheduler_type=self._register(arm, asked), page_size=BLOCK["transformers"], num_blocks=self.blocks,
            max_batch_tokens=BUDGET, allow_block_sharing=False, use_cuda_graph=False, use_async_batching=False,
        )  # fmt: skip
        fixed = GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0, max_new_tokens=1)
        manager = self.model.init_continuous_batching(generation_config=fixed, continuous_batching_config=config)
        rng, n, sent, done = np.random.default_rng(1), len(asked.prompt), 0, 0
        first, finish = np.zeros(n), np.zeros(n)
        with Watch() as watch:
            manager.start()
            began = time.perf_counter()
            while done < n:
                while sent < n and time.perf_counter() - began >= asked.arrival[sent]:
                    ids = rng.integers(3, 500, asked.prompt[sent]).tolist()
                    limit = int(asked.output[sent])
                    manager.add_request(ids, request_id=str(sent), max_new_tokens=limit, record_timestamps=True)
                    sent += 1
                wait = asked.arrival[sent] - (time.perf_counter() - began) if sent < n else 1.0
                result = manager.get_result(timeout=min(max(wait, 0.001), 1.0))
                if result is not None:
                    if result.error:
                        sys.exit(f"request {result.request_id}: {result.error}")
                    i = int(result.request_id)
                    first[i], finish[i] = result.timestamps[0] - began, result.timestamps[-1] - began
                    done += 1
            manager.stop(block=True)
        return Served(first, finish, watch.evictions, np.array(watch.steps))

    def _register(self, arm: str, asked: Asked) -> str:
        from plimsoll.engine.hint import Hint
        from plimsoll.engine.transformers import register

        if arm == "fcfs":
            return "fifo"
        theta, short, long = proxies(asked)
        if arm == "1-bit svf":
            # the engine knows the limit of each request, which here is its length; the policy is told only the bit
            return register("svf", name=arm, hint=lambda state: Hint(long if state.max_new_tokens > theta else short))
        return register(arm)


class Watch:
    """Notes every step of transformers' scheduler, whatever its type, and every request put back."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, float, float, float]] = []
        self.evictions = 0

    def __enter__(self) -> Watch:
        from transformers.generation.continuous_batching.scheduler import FIFOScheduler

        self._kind, self._plain = FIFOScheduler, (FIFOScheduler.schedule_batch, FIFOScheduler.add_waiting_request)
        last: list[Any] = [None]

        def schedule(scheduler: Any, *args: Any) -> Any:
            now = time.perf_counter()
            if last[0] is not None:
                self.steps.append((*last[0][:3], now - last[0][3]))
            answer = self._plain[0](scheduler, *args)
            batch = answer[0] or []
            prefill = sum(future.query_length for future in batch if future.query_length > 1)
            decoding = sum(1 for future in batch if future.query_length == 1)
            context = sum(future.state.current_len() for future in batch)
            last[0] = (prefill, decoding, context, now) if batch else None
            return answer

        def add(scheduler: Any, state: Any) -> Any:
            self.evictions += state._true_initial_tokens > 0
            return self._plain[1](scheduler, state)

        FIFOScheduler.schedule_batch, FIFOScheduler.add_waiting_request = schedule, add
        return self

    def __exit__(self, *_: object) -> None:
        self._kind.schedule_batch, self._kind.add_waiting_request = self._plain


class Vllm:
    """vLLM V1."""

    def __init__(self, shape: dict[str, int], blocks: int) -> None:
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")  # its core must start without what we loaded
        self.blocks = blocks
        self._longest = min(shape["max_position_embeddings"], blocks * BLOCK["vllm"])
        self._folder = tempfile.TemporaryDirectory()
        about = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "rms_norm_eps": 1e-5, **shape}
        (Path(self._folder.name) / "config.json").write_text(json.dumps(about))

    def serve(self, arm: str, asked: Asked) -> Served:
        """Step the engine; hand each request over at its time."""
        from vllm import LLM

        from plimsoll.engine.flags import async_by_default

        options: dict[str, Any] = {}
        if arm != "fcfs":
            kind = "AsyncScheduler" if async_by_default() else "Scheduler"
            policy = "svf" if arm == "1-bit svf" else arm
            options["scheduler_cls"] = f"plimsoll.engine.vllm.{kind}"
            options["additional_config"] = {"plimsoll": {"policy": policy, "predictor": "max_tokens"}}
        llm = LLM(
            model=self._folder.name, load_format="dummy", skip_tokenizer_init=True, enable_prefix_caching=False,
            block_size=BLOCK["vllm"], num_gpu_blocks_override=self.blocks + 1, max_num_batched_tokens=BUDGET,
            max_num_seqs=256, max_model_len=self._longest, disable_log_stats=False,
            enforce_eager=not torch.cuda.is_available(),
            dtype="bfloat16" if torch.cuda.is_available() else "float32", **options,
        )  # fmt: skip
        served = self._drive(llm.llm_engine, arm, asked)
        llm.llm_engine.engine_core.shutdown()
        return served

    def _drive(self, engine: Any, arm: str, asked: Asked) -> Served:
        rng, n, sent, done = np.random.default_rng(1), len(asked.prompt), 0, 0
        first, finish, preemptions, steps = np.zeros(n), np.zeros(n), 0, []
        began = time.perf_counter()
        while done < n:
            while sent < n and time.perf_counter() - began >= asked.arrival[sent]:
                self._add(engine, arm, asked, sent, rng)
                sent += 1
            if sent == done:
                time.sleep(max(0.0, asked.arrival[sent] - (time.perf_counter() - began)))
                continue
            before = time.perf_counter()
            outputs = engine.step()
            now = time.perf_counter()
            prefill = sum(len(o.prompt_token_ids) for o in outputs if first[int(o.request_id.split("-")[0])] == 0)
            context = sum(len(o.prompt_token_ids) + len(o.outputs[0].token_ids) for o in outputs)
            steps.append((prefill, len(outputs), context, now - before))
            for output in outputs:
                i = int(output.request_id.split("-")[0])
                first[i] = first[i] or now - began
                if output.finished:
                    finish[i] = now - began
                    preemptions += output.metrics.num_preemptions
                    done += 1
        return Served(first, finish, preemptions, np.array(steps))

    def _add(self, engine: Any, arm: str, asked: Asked, i: int, rng: np.random.Generator) -> None:
        from vllm import SamplingParams

        theta, short, long = proxies(asked)
        bit = {"predicted_output_tokens": long if asked.output[i] > theta else short}
        params = SamplingParams(
            max_tokens=int(asked.output[i]), ignore_eos=True, temperature=0, detokenize=False,
            extra_args=bit if arm == "1-bit svf" else None,
        )  # fmt: skip
        ids = rng.integers(3, 500, asked.prompt[i]).tolist()
        engine.add_request(str(i), {"prompt_token_ids": ids}, params)


def figures(asked: Asked, served: Served) -> dict[str, Any]:
    """What is reported of one arm; times in seconds."""
    latency, ttft = served.finish - asked.arrival, served.first - asked.arrival
    tpot = (served.finish - served.first)[asked.output > 1] / (asked.output[asked.output > 1] - 1)
    seconds = float(served.finish.max())
    return {
        **{name: spread(values) for name, values in (("latency", latency), ("ttft", ttft), ("tpot", tpot))},
        "latency_per_token": spread(latency / asked.output),
        "output_tokens_per_s": float(asked.output.sum() / seconds),
        "seconds": seconds,
        "preemptions": served.preemptions,
        "steps": len(served.steps),
        "step_s": fitted(served.steps),
    }


def spread(values: np.ndarray) -> dict[str, float]:
    """Mean, p95 and p99."""
    return {"mean": float(values.mean()), **{f"p{q}": float(np.percentile(values, q)) for q in (95, 99)}}


def fitted(steps: np.ndarray) -> dict[str, float]:
    """Seconds per step = c0 + c1·prefill + c2·decoding + c3·context by least squares, and its median error."""
    design = np.column_stack([np.ones(len(steps)), steps[:, :3]])
    weight = 1 / np.maximum(steps[:, 3], 1e-9)  # relative errors, so that long prefills do not decide alone
    coefficients = np.linalg.lstsq(design * weight[:, None], np.ones(len(steps)), rcond=None)[0]
    error = np.abs(design @ coefficients * weight - 1)
    return dict(zip(("c0", "c1", "c2", "c3"), coefficients.tolist(), strict=True)) | {
        "median_error": float(np.median(error))
    }


def machine() -> dict[str, str]:
    """What it ran on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"gpu": gpu, "torch": torch.__version__, "python": platform.python_version(), "system": platform.system()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=("transformers", "vllm"), default="transformers")
    parser.add_argument("--shape", choices=("llama-3.1-8b", "tiny"), default="llama-3.1-8b")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--blocks", type=int, default=3328, help="of KV cache; few enough that memory binds")
    parser.add_argument("--rates", default="6,9,12,inf", help="requests per second; inf is a burst")
    parser.add_argument("--arms", default="fcfs,svf,1-bit svf,mc-sf")
    parser.add_argument("--scale", type=float, default=1.0, help="of the trace's lengths")
    parser.add_argument("--out", type=Path, required=True)
    ask = parser.parse_args()
    engine = {"transformers": Transformers, "vllm": Vllm}[ask.engine](
        LLAMA_8B if ask.shape == "llama-3.1-8b" else TINY, ask.blocks
    )
    runs: list[dict[str, Any]] = []
    for rate in map(float, ask.rates.split(",")):
        asked = requests_of(ask.requests, rate, ask.scale, seed=0)
        for arm in ask.arms.split(","):
            told = figures(asked, engine.serve(arm, asked))
            runs.append({"rate": "burst" if np.isinf(rate) else rate, "arm": arm, **told})
            print(f"rate {rate:g} {arm:10} mean {told['latency']['mean']:.2f} s p99 {told['latency']['p99']:.2f} s")
            settings = {"engine": ask.engine, "shape": ask.shape, "requests": ask.requests, "blocks": ask.blocks}
            ask.out.write_text(json.dumps({"machine": machine(), **settings, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
