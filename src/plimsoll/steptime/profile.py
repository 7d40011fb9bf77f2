"""Measured kernel times of one GPU and model, summed to the operators of one step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .hardware import Gpu, gpu_named
from .kernel import Floats
from .model import Model, model_named

if TYPE_CHECKING:
    import polars as pl

ONCE_PER_STEP = ("embedding", "final_layernorm")


@dataclass(frozen=True)
class Profile:
    """One transformer layer, timed per operator, microseconds.

    Attributes
    ----------
    dense : columns layer, tokens, time_us.
    attention : columns prefill_chunk, kv_prefill, n_decode, kv_decode, time_us.
    per_sequence : columns layer, sequences, time_us.
    moe : columns tokens, activated_experts, time_us; None for a dense model.
    moe_tp : tensor parallel degree at which ``moe`` was measured.
    """

    gpu: Gpu
    model: Model
    tp: int
    dense: pl.DataFrame
    attention: pl.DataFrame
    per_sequence: pl.DataFrame
    moe: pl.DataFrame | None = None
    moe_tp: int = 1


def read_profile(folder: Path, gpu: str, model: str, tp: int) -> Profile:
    """The Parquet tables ``<gpu>__<model>__tp<N>__<table>.parquet`` of a folder.

    Raises
    ------
    InputError
        If a table is missing. Experts measured at degree 1 only are scaled to ``tp``.
    """
    device, shape = gpu_named(gpu), model_named(model)
    dense = _table(folder, device, shape, tp, "dense")
    attention = _table(folder, device, shape, tp, "attention")
    per_sequence = _table(folder, device, shape, tp, "per_sequence")
    if dense is None or attention is None or per_sequence is None:
        raise InputError(f"{folder}: needs the dense, attention and per_sequence tables of {gpu}, {model}, tp {tp}")
    degree = tp
    moe = _table(folder, device, shape, tp, "moe")
    if moe is None:
        degree, moe = 1, _table(folder, device, shape, 1, "moe")
    if shape.experts and moe is None:
        raise InputError(f"{folder}: needs the moe table of {gpu}, {model}")
    return Profile(device, shape, tp, dense, attention, per_sequence, moe, degree)


def _table(folder: Path, gpu: Gpu, model: Model, tp: int, name: str) -> pl.DataFrame | None:
    import polars as pl

    for path in sorted(folder.glob(f"*__tp{tp}__{name}.parquet")):
        device, measured = path.name.split("__")[:2]
        if device.replace("-", "") == gpu.name.replace("-", "") and model_named(measured) == model:
            return pl.read_parquet(path)
    return None


def dense_seconds(profile: Profile) -> tuple[Floats, Floats]:
    """Tokens of the step and the seconds of its dense operators and experts, all layers.

    ``layernorm`` runs twice per layer; ``qk_norm`` is timed over all heads of one GPU at degree 1 and runs
    once for the queries and once for the keys, so that its share falls with ``tp``.
    """
    model, tp = profile.model, profile.tp
    calls = dict.fromkeys(profile.dense["layer"].unique(), float(model.layers))
    calls |= dict.fromkeys(ONCE_PER_STEP, 1.0)
    calls |= {"layernorm": 2.0 * model.layers, "qk_norm": 2.0 * model.layers / tp}
    tokens, seconds = _summed(profile.dense, "tokens", calls)
    return tokens, seconds + model.layers * _experts_seconds(profile, tokens)


def sequence_seconds(profile: Profile) -> tuple[Floats, Floats]:
    """Requests that sample a token and the seconds of the output head and the sampler."""
    return _summed(profile.per_sequence, "sequences", dict.fromkeys(profile.per_sequence["layer"].unique(), 1.0))


def _summed(table: pl.DataFrame, over: str, calls: dict[str, float]) -> tuple[Floats, Floats]:
    import polars as pl

    times = pl.col("layer").replace_strict(calls, return_dtype=pl.Float64)
    sums = table.group_by(over).agg((pl.col("time_us") * times).sum()).sort(over)
    return sums[over].to_numpy().astype(np.float64), sums["time_us"].to_numpy() * 1e-6


def _experts_seconds(profile: Profile, tokens: Floats) -> Floats:
    """One layer's experts at the expected number of activated experts: bilinear in the measured grid.

    Experts of another degree are scaled by the share of each expert's weights and arithmetic that a GPU
    holds.
    """
    if profile.moe is None:
        return np.zeros(len(tokens))
    activated = np.array([profile.model.activated_experts(t) for t in tokens])
    rows = {t[0]: part.sort("activated_experts") for t, part in profile.moe.group_by("tokens")}
    known = np.array(sorted(rows), float)
    at_known = np.array(
        [np.interp(activated, rows[t]["activated_experts"].to_numpy(), rows[t]["time_us"].to_numpy()) for t in known]
    )
    seconds = [float(np.interp(t, known, at_known[:, j])) for j, t in enumerate(tokens)]
    return np.array(seconds) * 1e-6 * profile.moe_tp / profile.tp
