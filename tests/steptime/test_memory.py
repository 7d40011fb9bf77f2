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


def test_smaller_numbers_leave_more_blocks():
    gpu, model = gpu_named("rtx-4090"), model_named("llama-3.1-8b")
    plain = kv_blocks(gpu, model)
    half = kv_blocks(gpu, model.in_dtype("fp8"))
    freed = (model.weights - model.in_dtype("fp8").weights) / (16 * model.kv_bytes())
    assert half - plain == pytest.approx(freed, abs=1)
    assert kv_blocks(gpu, model, kv_bytes=1.0) == pytest.approx(2 * plain, abs=1)
    assert model.weights == 2 * model.parameters


def test_a_model_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="raise --tp"):
        kv_blocks(gpu_named("rtx-4090"), model_named("llama-2-70b"))
    with pytest.raises(InputError, match="utilisation"):
        kv_blocks(gpu_named("a100"), model_named("llama-2-7b"), utilisation=1.5)
