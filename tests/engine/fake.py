"""The real vLLM scheduler and block manager on fake model outputs: no model, no kernels."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from vllm.config import CacheConfig, DeviceConfig, ModelConfig, SchedulerConfig, VllmConfig
from vllm.sampling_params import SamplingParams
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager

BLOCK = 16


def scheduler(
    model: str,
    blocks: int,
    kind: type[Scheduler] = Scheduler,
    max_num_seqs: int = 64,
    budget: int = 2048,
    additional: dict[str, Any] | None = None,
    caching: bool = False,
    **options: Any,
) -> Scheduler:
    """A scheduler over ``blocks`` usable KV blocks (vLLM keeps one more); ``model`` holds only a config.json."""
    config = VllmConfig(
        model_config=ModelConfig(model=model, skip_tokenizer_init=True, dtype="float32", seed=0),
        cache_config=CacheConfig(block_size=BLOCK, gpu_memory_utilization=0.5, enable_prefix_caching=caching),
        scheduler_config=SchedulerConfig(
            max_num_seqs=max_num_seqs,
            max_num_batched_tokens=budget,
            max_model_len=4096,
            is_encoder_decoder=False,
            enable_chunked_prefill=True,
            async_scheduling=kind.__name__ == "AsyncScheduler",
            **options,
        ),
        device_config=DeviceConfig(device="cpu"),
        additional_config=additional or {},
    )
    config.cache_config.num_gpu_blocks = blocks + 1
    spec = FullAttentionSpec(block_size=BLOCK, num_kv_heads=1, head_size=1, dtype=torch.float32)
    kv = KVCacheConfig(num_blocks=blocks + 1, kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer"], spec)])
    return kind(
        vllm_config=config,
        kv_cache_config=kv,
        structured_output_manager=StructuredOutputManager(config),
        block_size=BLOCK,
        log_stats=False,
    )


def request(
    number: int, prompt: int, output: int, arrival: float = 0.0, ids: list[int] | None = None, hasher: Any = None,
    **extra: Any,
) -> Request:  # fmt: skip
    """A request of ``prompt`` tokens (``ids``) that stops after ``output``; ``extra`` goes to ``extra_args``.

    ``hasher`` makes its blocks findable in the prefix cache.
    """
    params = SamplingParams(max_tokens=output, ignore_eos=True, extra_args=extra or None)
    fields: dict[str, Any] = {
        "request_id": str(number),
        "prompt_token_ids": ids or [1 + number % 97] * prompt,
        "sampling_params": params,
        "pooling_params": None,
        "arrival_time": arrival,
        "block_hasher": hasher,
    }
    if "eos_token_id" in inspect.signature(Request.__init__).parameters:
        fields["eos_token_id"] = None
    return Request(**fields)


def step(scheduler: Scheduler) -> Any:
    """One engine step: schedule, run no model, hand one token to everyone whose prompt is done."""
    planned = scheduler.schedule()
    scheduler.update_from_output(planned, outputs(scheduler, planned))
    return planned


def outputs(scheduler: Scheduler, planned: Any) -> ModelRunnerOutput:
    """One token for everyone whose prompt is done after this step."""
    names = list(planned.num_scheduled_tokens)
    return ModelRunnerOutput(
        req_ids=names,
        req_id_to_index={name: index for index, name in enumerate(names)},
        sampled_token_ids=[[] if _prefilling(scheduler.requests[name]) else [7] for name in names],
        logprobs=None,
        prompt_logprobs_dict={},
        pooler_output=[],
    )


def _prefilling(request: Request) -> bool:
    """``schedule`` has advanced ``num_computed_tokens``: if it lags, prompt chunks are still to come."""
    return request.num_computed_tokens < request.num_tokens


class Pipeline:
    """Steps as async scheduling makes them: the next one is scheduled before the last one's outputs are there."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._in_flight: list[tuple[Any, list[str]]] = []

    def step(self) -> Any:
        """Schedule one step and hand over the outputs of the one before; returns what was scheduled."""
        planned = self._scheduler.schedule()
        requests = self._scheduler.requests
        done = [name for name in planned.num_scheduled_tokens if not requests[name].is_prefill_chunk]
        self._in_flight.append((planned, done))
        if len(self._in_flight) > 1 or not planned.num_scheduled_tokens:
            earlier, sampled = self._in_flight.pop(0)
            names = list(earlier.num_scheduled_tokens)
            output = ModelRunnerOutput(
                req_ids=names,
                req_id_to_index={name: index for index, name in enumerate(names)},
                sampled_token_ids=[[7] if name in sampled else [] for name in names],
                logprobs=None,
                prompt_logprobs_dict={},
                pooler_output=[],
            )
            self._scheduler.update_from_output(earlier, output)
        return planned


def free_blocks(scheduler: Scheduler) -> int:
    return scheduler.kv_cache_manager.block_pool.get_num_free_blocks()
