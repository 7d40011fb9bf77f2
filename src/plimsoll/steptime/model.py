"""Models: the figures of their published configurations that decide time and memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import InputError

DTYPES = {"bf16": 2.0, "fp8": 1.0, "int4": 0.5}
"""Bytes of one number."""


@dataclass(frozen=True)
class Model:
    """A decoder-only language model.

    Attributes
    ----------
    layers, hidden, heads, kv_heads, head_dim : shape of the transformer.
    feed_forward : width of the feed-forward block (of one expert where there are experts).
    vocabulary : tokens.
    parameters : total.
    active : parameters that one token passes through.
    weight_bytes : bytes per parameter as published (2 bf16, 1 fp8).
    experts, experts_per_token : routed experts per layer, 0 for a dense model.
    expert_parameters : parameters in routed experts, all layers together.
    latent : width of the compressed KV entry per layer (multi-head latent attention), 0 where K and V are
        kept.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    parameters: float
    active: float
    weight_bytes: float = 2.0
    experts: int = 0
    experts_per_token: int = 0
    expert_parameters: float = 0.0
    latent: int = 0

    def kv_bytes(self, tp: int = 1, dtype_bytes: float = 2.0) -> float:
        """KV-cache bytes of one token on one GPU; a latent entry is kept whole on each."""
        if self.latent:
            return self.layers * self.latent * dtype_bytes
        return 2 * self.layers * max(self.kv_heads / tp, 1.0) * self.head_dim * dtype_bytes

    @property
    def weights(self) -> float:
        """Bytes of all parameters; the embedding and the output head stay in bf16 whatever the rest is in."""
        kept = min(2.0 * self.vocabulary * self.hidden, self.parameters)
        return (self.parameters - kept) * self.weight_bytes + kept * DTYPES["bf16"]

    def in_dtype(self, dtype: str | None) -> Model:
        """The same model with its weights in another of ``DTYPES``; as published where ``dtype`` is None."""
        return self if dtype is None else replace(self, weight_bytes=bytes_of("--dtype", dtype))

    def activated_experts(self, tokens: float) -> float:
        """Expected distinct experts per layer that ``tokens`` tokens reach, routed uniformly."""
        if not self.experts:
            return 0.0
        return self.experts * (1.0 - (1.0 - self.experts_per_token / self.experts) ** tokens)


MODELS = {
    model.name: model
    for model in (
        Model("llama-2-7b", 32, 4096, 32, 32, 128, 11008, 32000, 6.74e9, 6.74e9),
        Model("llama-2-70b", 80, 8192, 64, 8, 128, 28672, 32000, 68.98e9, 68.98e9),
        Model("llama-3.1-8b", 32, 4096, 32, 8, 128, 14336, 128256, 8.03e9, 8.03e9),
        Model("llama-3.1-70b", 80, 8192, 64, 8, 128, 28672, 128256, 70.55e9, 70.55e9),
        Model("mistral-7b", 32, 4096, 32, 8, 128, 14336, 32768, 7.25e9, 7.25e9),
        Model("qwen3-8b", 36, 4096, 32, 8, 128, 12288, 151936, 8.19e9, 8.19e9),
        Model("qwen3-32b", 64, 5120, 64, 8, 128, 25600, 151936, 32.76e9, 32.76e9),
        Model(
            "qwen3-30b-a3b", 48, 2048, 32, 4, 128, 768, 151936, 30.53e9, 3.35e9,
            experts=128, experts_per_token=8, expert_parameters=28.99e9,
        ),
        Model(
            "deepseek-r1", 61, 7168, 128, 128, 192, 2048, 129280, 671.0e9, 37.0e9, weight_bytes=1.0,
            experts=256, experts_per_token=8, expert_parameters=653.9e9, latent=576,
        ),
    )
}  # fmt: skip


def bytes_of(option: str, dtype: str) -> float:
    """Bytes of one number; a dtype that is not known is a fault of ``option``."""
    if dtype not in DTYPES:
        raise InputError(f"{option}: unknown dtype {dtype!r}; known: {', '.join(DTYPES)}")
    return DTYPES[dtype]


def model_named(name: str) -> Model:
    """The model of that name; a publisher's prefix and ``-instruct`` endings are dropped."""
    wanted = name.lower().rpartition("/")[2].replace("_", "-")
    for known, model in MODELS.items():
        if wanted == known or wanted.startswith(known + "-") or wanted.replace("meta-", "") == known:
            return model
    raise InputError(f"--model: unknown model {name!r}; known: {', '.join(MODELS)}")
