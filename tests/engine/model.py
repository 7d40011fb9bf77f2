"""Tiny Llama models: a folder with a configuration, or with random weights too."""

from __future__ import annotations

import json
from pathlib import Path

SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 512,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.2,  # below about 0.1 greedy decoding soon repeats a short cycle
}


def write_config(folder: Path) -> Path:
    """What the scheduler alone needs."""
    about = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32"}
    (folder / "config.json").write_text(json.dumps({**about, **SHAPE}))
    return folder


def write_weights(folder: Path, seed: int = 0) -> Path:
    """A model whose greedy answers wander over the vocabulary."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    LlamaForCausalLM(LlamaConfig(**SHAPE)).save_pretrained(folder)
    return folder
