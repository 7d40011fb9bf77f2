"""Tensor parallelism: the sum of partial results over the GPUs, from the link's published figures."""

from __future__ import annotations

import numpy as np

from .hardware import Gpu
from .kernel import Floats
from .model import Model

LINK_EFFICIENCY = 0.8
"""Share of a link's published bandwidth that a large all-reduce reaches."""


def all_reduce_seconds(gpu: Gpu, model: Model, tp: int, tokens: Floats) -> Floats:
    """Seconds per step of all all-reduces: two per layer and one after the embedding, bf16.

    Parameters
    ----------
    tokens : shape (k,), tokens of the step.

    Notes
    -----
    A ring moves 2(n-1)/n of the message over each link; a small message costs the latency alone.
    """
    if tp == 1:
        return np.zeros(len(tokens))
    moved = 2 * (tp - 1) / tp * 2 * model.hidden * tokens
    return (2 * model.layers + 1) * (gpu.link_latency_s + moved / (LINK_EFFICIENCY * gpu.link))
