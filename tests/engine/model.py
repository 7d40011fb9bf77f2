"""Tiny Llama models: a folder with a configuration, or with random weights too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SHAPE: dict[str, Any] = {
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


def write_tokenizer(folder: Path) -> None:
    """Token i is the word ``t<i>``, and a chat is its words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word(i): i for i in range(SHAPE["vocab_size"])}, unk_token=word(0)))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    chat = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    PreTrainedTokenizerFast(tokenizer_object=words, chat_template=chat).save_pretrained(folder)


def word(token: int) -> str:
    """A token as text."""
    return f"t{token}"
