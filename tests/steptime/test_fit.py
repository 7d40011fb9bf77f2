"""Fitting: known laws are found again, measured kernels are met."""

import tomllib

import numpy as np
import pytest

from plimsoll.errors import InputError
from plimsoll.steptime import from_file, roofline
from plimsoll.steptime.fit import fit_profile, fit_steps, nonnegative_least_squares
from plimsoll.steptime.profile import read_profile
from plimsoll.steptime.steps import read_steps


def test_least_squares_drops_a_negative_coefficient():
    x = np.arange(1.0, 20.0)
    found = nonnegative_least_squares(np.column_stack([x, np.ones_like(x)]), 2 * x - 5)
    assert found[1] == 0.0
    assert 1.5 < found[0] < 2.0


def test_a_known_step_time_is_found_again_from_its_log(tmp_path):
    truth, rng = roofline("h100", "llama-3.1-8b"), np.random.default_rng(5)
    rows = ["decodes,context,chunk,earlier,seconds"]
    for chunk in [0] * 300 + list(rng.integers(16, 2000, 300)):
        decodes = int(rng.integers(1, 200))
        context, earlier = float(decodes * rng.integers(100, 4000)), int(rng.integers(0, 4000))
        seconds = truth.prefill([(chunk, earlier)], decodes, context) if chunk else truth.decode(decodes, context)
        rows.append(f"{decodes},{context},{chunk},{earlier if chunk else 0},{seconds}")
    log = tmp_path / "steps.csv"
    log.write_text("\n".join(rows))
    fit = fit_steps(read_steps(log))
    assert fit.error["decode"][0] < 0.01
    assert fit.error["mixed"][0] < 0.02
    saved = tmp_path / "mine.toml"
    saved.write_text(fit.toml("h100", "llama-3.1-8b", 1, "a log"))
    assert from_file(saved).decode(64, 64_000) == pytest.approx(truth.decode(64, 64_000), rel=0.01)
    assert from_file(saved).basis == "fitted: a log"


def test_too_few_steps_are_refused(tmp_path):
    log = tmp_path / "steps.csv"
    log.write_text("decodes,context,chunk,earlier,seconds\n" + "2,50,0,0,0.01\n" * 20)
    with pytest.raises(InputError, match="0 steps with prompt tokens"):
        fit_steps(read_steps(log))


@pytest.mark.shared
def test_shipped_coefficients_are_those_of_the_measured_kernels(shared):
    for gpu, model, tp in (("rtx-4090", "llama-3.1-8b", 1), ("rtx-pro-6000", "qwen3-32b", 2)):
        fit = fit_profile(read_profile(shared / "profiles", gpu, model, tp))
        entry = tomllib.loads(fit.toml(gpu, model, tp, ""))["fit"][0]
        assert entry["kv"] == pytest.approx(roofline(gpu, model, tp).coefficients[0])
        assert np.array(fit.coefficients()) == pytest.approx(roofline(gpu, model, tp).coefficients, rel=1e-5)
        assert fit.error["decode"][0] < 0.01
