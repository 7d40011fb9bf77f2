"""``plimsoll steptime``: seconds per step of a model on a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="steptime", help="Seconds per step: show and fit coefficients.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.command
def show(*, gpu: str, model: str, tp: int = 1, as_json: Json = False) -> None:
    """Print what a model on a GPU takes per step, what it stands on, and the KV blocks beside it.

    Parameters
    ----------
    gpu : the GPU's name, e.g. rtx-4090.
    model : the model's name, e.g. llama-3.1-8b.
    tp : tensor parallel degree.
    as_json : one JSON object on stdout.
    """
    from ..steptime import gpu_named, kv_blocks, model_named, roofline

    step = roofline(gpu, model, tp)
    answer = {
        "name": step.name,
        "basis": step.basis,
        "blocks": kv_blocks(gpu_named(gpu), model_named(model), tp),
        "decode_1_s": step.decode(1, 1024),
        "decode_64_s": step.decode(64, 64 * 1024),
        "prefill_2048_s": step.prefill([(2048, 0)]),
        "mixed_2048_s": step.prefill([(1984, 0)], 64, 64 * 1024),
    }
    if as_json:
        print(json.dumps(answer))
        return
    for name, value in answer.items():
        print(f"{name:16} {value:.5f}" if isinstance(value, float) else f"{name:16} {value}")


@app.command
def fit(source: Path, *, gpu: str, model: str, tp: int = 1, cite: str = "", as_json: Json = False) -> None:
    """Fit coefficients to measured kernels or to an engine's log of its steps; prints a table for --steptime
    FILE.toml.

    Parameters
    ----------
    source : a folder of <gpu>__<model>__tp<N>__<table>.parquet (dense, attention, per_sequence, moe); the log of
        vllm serve --enable-logging-iteration-details; or a CSV or Parquet file with one row per step and the columns
        decodes, context, chunk, earlier, seconds.
    gpu : the GPU's name.
    model : the model's name.
    tp : tensor parallel degree.
    cite : where the measurements come from; every answer that stands on them repeats it.
    as_json : one JSON object on stdout.
    """
    from ..steptime.fit import fit_profile, fit_steps
    from ..steptime.profile import read_profile
    from ..steptime.steps import read_steps

    if source.is_dir():
        found = fit_profile(read_profile(source, gpu, model, tp))
    else:
        found = fit_steps(read_steps(source))
    if as_json:
        print(json.dumps({"gpu": gpu, "model": model, "tp": tp, "kv": found.kv, "error": found.error}))
        return
    print(found.toml(gpu, model, tp, cite or source.name), end="")
    for law, (mean, p95) in found.error.items():
        print(f"{law}: relative error of a step {mean:.1%} in the mean, {p95:.1%} at p95", file=sys.stderr)
