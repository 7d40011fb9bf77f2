"""KV blocks beside the model."""

import pytest

from plimsoll.errors import InputError
from plimsoll.steptime import gpu_named, kv_blocks, model_named


def test_the_logged_case_is_met():
    """vLLM logged 2,588 blocks on an RTX 4090 with Llama-3.1-8B."""
    assert kv_blocks(gpu_named("rtx-4090"), model_named("llama-3.1-8b")) == pytest.approx(2588, rel=0.01)


def test_kv_bytes_by_hand():
    assert model_named("llama-3.1-8b").kv_bytes() == 2 * 32 * 8 * 128 * 2
    assert model_named("llama-3.1-8b").kv_bytes(tp=16) == 2 * 32 * 128 * 2
    assert model_named("deepseek-r1").kv_bytes(tp=8) == 61 * 576 * 2


def test_a_model_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="raise --tp"):
        kv_blocks(gpu_named("rtx-4090"), model_named("llama-2-70b"))
    with pytest.raises(InputError, match="utilisation"):
        kv_blocks(gpu_named("a100"), model_named("llama-2-7b"), utilisation=1.5)
