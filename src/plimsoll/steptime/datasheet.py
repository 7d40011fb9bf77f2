"""Step times from datasheets alone, with stated efficiencies: what is known of a GPU before it is measured.

A step reads the weights it needs and computes on its tokens, whichever takes longer; attention reads the
cached context and computes on each chunk against it; tensor parallelism adds its all-reduces. The
efficiencies are close to what the fitted GPUs reach: 0.73-0.98 of the bandwidth on weights, 0.77-0.97 on the
cache, and 0.8-1.0 of the arithmetic on large steps.
"""

from __future__ import annotations

import numpy as np

from .fit import DECODES, TOKENS
from .hardware import Gpu
from .kernel import Floats, pack
from .model import DTYPES, Model
from .overhead import EAGER_S, GRAPH_S, all_reduce_seconds

WEIGHTS, CACHE, ARITHMETIC, ATTENTION = 0.80, 0.80, 0.80, 0.40
"""Share of the published bandwidth or arithmetic that each part of a step reaches."""


def datasheet_coefficients(gpu: Gpu, model: Model, tp: int, kv_bytes: float = 2.0) -> Floats:
    """The coefficients of a roofline over published figures (see the module's text).

    Parameters
    ----------
    kv_bytes : bytes per KV element (2 bf16, 1 fp8).
    """
    tokens = _dense(gpu, model, tp, TOKENS) + EAGER_S * model.layers
    decode = _dense(gpu, model, tp, DECODES)
    kv = model.kv_bytes(tp, kv_bytes) / (CACHE * gpu.bandwidth)
    pair = 4 * model.layers * model.heads / tp * model.head_dim / (ATTENTION * gpu.flops)
    prefill = [0.0, 0.0, pair / 2, pair, kv]
    mixed = [0.0, 0.0, kv, 0.0, pair / 2, pair, kv, 0.0]
    return pack(
        kv,
        prefill,
        mixed,
        (DECODES.tolist(), decode.tolist()),
        (TOKENS.tolist(), tokens.tolist()),
        ([1.0], [0.0]),
    )


def _dense(gpu: Gpu, model: Model, tp: int, tokens: Floats) -> Floats:
    share = np.array([model.activated_experts(t) for t in tokens]) / max(model.experts, 1)
    read = (model.weights - model.expert_parameters * (1.0 - share) * model.weight_bytes) / tp
    computed = 2 * model.active * tokens / tp
    flops = gpu.fp8_flops if model.weight_bytes == DTYPES["fp8"] else gpu.flops
    longer = np.maximum(read / (WEIGHTS * gpu.bandwidth), computed / (ARITHMETIC * flops))
    return longer + GRAPH_S * model.layers + all_reduce_seconds(gpu, model, tp, tokens)
