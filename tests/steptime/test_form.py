"""Forms of step time against figures worked out by hand."""

import numpy as np
import pytest

from plimsoll.errors import InputError
from plimsoll.steptime import GPUS, MODELS, linear, parse, roofline, table, unit


def test_unit_is_one_second_whatever_the_step():
    step = unit()
    assert step.decode(1, 0) == step.decode(500, 1e6) == 1.0
    assert step.prefill([(2048, 100), (3, 0)], 40, 1e4) == 1.0


def test_linear_counts_the_tokens_of_the_step():
    step = linear(0.01, 0.001)
    assert step.decode(5, 1e6) == pytest.approx(0.015)
    assert step.prefill([(20, 0), (10, 64)], 5, 1e6) == pytest.approx(0.01 + 0.001 * 35)


def test_table_interpolates_and_continues():
    step = table([1, 3, 5], [10, 20, 40])
    assert [step.decode(d, 0) for d in (1, 2, 3, 4, 5, 6)] == [10, 15, 20, 30, 40, 50]
    assert table([4, 8], [1, 3]).decode(1, 0) == 1  # flat up to the first point
    with pytest.raises(InputError, match="ascending"):
        table([3, 1], [1, 2])
    with pytest.raises(InputError, match="not fall"):
        table([1, 3], [2, 1])


def test_closed_form_of_llama_2_70b():
    """max(58.2 + .131 T, 23.1 + .349 T) + 1.11e-4 kv + 1.7e-6 P2 + 9.9e-6 PC, ms."""
    step = roofline("a100", "llama-2-70b", tp=2)
    assert step.decode(10, 5000) == pytest.approx(1e-3 * (58.2 + 1.31 + 0.555))
    assert step.decode(400, 0) == pytest.approx(1e-3 * (23.1 + 0.349 * 400))
    square, cross = 100**2 + 300**2, 300 * 50
    expected = 23.1 + 0.349 * 420 + 1.11e-4 * 900 + 1.7e-6 * square + 9.9e-6 * cross
    assert step.prefill([(100, 0), (300, 50)], 20, 900) == pytest.approx(1e-3 * expected)
    assert step.basis.startswith("fitted: Vidur")


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("model", MODELS)
def test_every_pair_has_a_step_time_that_grows(gpu: str, model: str):
    step = roofline(gpu, model, tp=4)
    assert step.basis.startswith("datasheet")
    times = [step.decode(d, 1000.0 * d) for d in (1, 16, 256)]
    assert 0 < times[0] <= times[1] <= times[2] < 5
    chunks = [step.prefill([(p, 0)], 8, 8000.0) for p in (16, 256, 2048)]
    assert 0 < chunks[0] <= chunks[1] <= chunks[2]


def test_tensor_parallelism_pays_its_all_reduce():
    alone, pair = roofline("h200", "qwen3-32b"), roofline("h200", "qwen3-32b", tp=2)
    assert alone.decode(64, 64000) / 2 < pair.decode(64, 64000) < alone.decode(64, 64000)


def test_compiled_and_plain_kernels_agree():
    from plimsoll.steptime.kernel import decode_base, prefill_seconds

    c = roofline("rtx-4090", "llama-3.1-8b").coefficients
    plain = getattr(prefill_seconds, "py_func", prefill_seconds)
    base = getattr(decode_base, "py_func", decode_base)
    for d, p in ((0, 512.0), (7, 100.0), (300, 4096.0)):
        sums = (1.0 * d * 700, d + 1, p, p * p, p * 64, 64.0)
        assert plain(c, d, *sums) == prefill_seconds(c, d, *sums)
        assert base(c, d) == decode_base(c, d)


BAD = ("", "linear:1", "linear:a:b", "linear:0:0", "linear:-1:1", "linear:nan:1", "nonsense", "unit:3", "missing.toml")
TABLES = ("table:", "table:1", "table:1=0", "table:1=a", "table:2=1,1=2", "table:1=2,2=1", "table:1=1,2=inf")


@pytest.mark.parametrize("text", BAD + TABLES)
def test_bad_forms_are_refused(text: str):
    with pytest.raises(InputError):
        parse(text)


def test_forms_parse():
    assert parse("unit").decode(3, 9) == 1.0
    assert parse("linear:0.5:0.25").decode(2, 9) == 1.0
    assert parse("table:1=0.5,3=1").decode(2, 9) == 0.75


def test_smaller_numbers_are_read_and_computed_faster():
    plain, small = roofline("h200", "llama-3.1-8b"), roofline("h200", "llama-3.1-8b", dtype="fp8")
    assert 0.5 < small.decode(1, 0) / plain.decode(1, 0) < 0.7  # embedding and head stay in bf16
    assert small.prefill([(8192, 0)]) < 0.7 * plain.prefill([(8192, 0)])
    assert small.coefficients[0] == plain.coefficients[0]
    short = roofline("h200", "llama-3.1-8b", kv_cache_dtype="fp8")
    assert short.coefficients[0] == pytest.approx(plain.coefficients[0] / 2)
    assert roofline("rtx-4090", "llama-3.1-8b", dtype="bf16").basis.startswith("fitted")
    assert roofline("rtx-4090", "llama-3.1-8b", dtype="int4").basis.startswith("datasheet")
    with pytest.raises(InputError, match="--dtype"):
        roofline("h200", "llama-3.1-8b", dtype="fp3")
    with pytest.raises(InputError, match="--kv-cache-dtype"):
        roofline("h200", "llama-3.1-8b", kv_cache_dtype="fp3")


def test_unknown_names_list_the_known():
    with pytest.raises(InputError, match="rtx-4090"):
        roofline("gtx-970", "llama-3.1-8b")
    with pytest.raises(InputError, match="qwen3-32b"):
        roofline("a100", "gpt-2")
    with pytest.raises(InputError, match="heads"):
        roofline("a100", "llama-3.1-8b", tp=3)


def test_experts_activated_by_a_step():
    moe = MODELS["qwen3-30b-a3b"]
    assert moe.activated_experts(1) == pytest.approx(8)
    assert moe.activated_experts(2) == pytest.approx(8 + 8 * 120 / 128)
    assert np.isclose(moe.activated_experts(10_000), 128)
