"""What a step costs beyond its kernels: launches, and all-reduces under tensor parallelism.

Assumptions, stated and not fitted: kernels of a CUDA graph follow one another after 1.5 us, and a layer has
eleven (projections, attention with its combination, cache write, rotary embedding, norms, activation). A step
with prompt tokens leaves the full graph. What that costs per layer follows from vLLM's own measurements of
Llama-3.1-8B without and with piecewise graphs (pull request 10058: 1.26 and 1.04 s for 128 steps, 32 layers,
54 us a layer) and of a small model with piecewise and full graphs (16072: 7 % of a step, some 16 us a layer).
"""

from __future__ import annotations

import numpy as np

from .hardware import Gpu
from .kernel import Floats
from .model import Model

GRAPH_S = 11 * 1.5e-6
"""Gaps between the kernels of one layer, seconds; every step pays them."""
EAGER_S = 70e-6
"""What one layer costs more outside the full CUDA graph, seconds; steps with prompt tokens pay it."""
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
