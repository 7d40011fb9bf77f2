"""How many KV blocks a GPU holds beside the model."""

from __future__ import annotations

import math

from ..errors import InputError
from .hardware import Gpu
from .model import Model

RUNTIME_GIB = 0.70
"""CUDA context, graphs and allocator slack: what is left of the one case whose number of blocks an engine
logged (RTX 4090, Llama-3.1-8B: 2,588 blocks of 16 at 90 % and 2,048 tokens a step) once weights and
activations are taken."""


def kv_blocks(
    gpu: Gpu,
    model: Model,
    tp: int = 1,
    utilisation: float = 0.9,
    block_size: int = 16,
    kv_bytes: float = 2.0,
    tokens_per_step: int = 2048,
) -> int:
    """Blocks of ``block_size`` tokens that fit beside weights, activations and the runtime.

    Parameters
    ----------
    utilisation : share of the GPU's memory that the engine may use, in (0, 1].
    kv_bytes : bytes per KV element (2 bf16, 1 fp8).
    tokens_per_step : the largest step, which decides the activations.

    Raises
    ------
    InputError
        If the model does not fit.
    """
    if not 0 < utilisation <= 1:
        raise InputError(f"--utilisation: {utilisation} is not in (0, 1]")
    if model.heads % tp:
        raise InputError(f"--tp: {model.name} has {model.heads} heads, not divisible by {tp}")
    width = 4 * model.hidden + 3 * model.feed_forward * max(model.experts_per_token, 1) / tp
    activations = 2 * tokens_per_step * width + 6 * 256 * model.vocabulary / tp
    free = gpu.memory_gib * utilisation * 2**30 - RUNTIME_GIB * 2**30
    free -= model.weights / tp + activations
    blocks = math.floor(free / (block_size * model.kv_bytes(tp, kv_bytes)))
    if blocks < 1:
        raise InputError(f"--model: {model.name} at tp {tp} leaves no memory for a KV cache on {gpu.name}; raise --tp")
    return blocks
