"""Coefficients fitted to measured kernels: never to the end-to-end runs that they are later compared with.

Weighted least squares with coefficients that cannot be negative. A row weighs one over the seconds of the
whole step that it belongs to, so that the fit minimises the relative error of steps, not of kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .kernel import Floats, pack
from .overhead import EAGER_S, GRAPH_S, all_reduce_seconds
from .profile import Profile, dense_seconds, sequence_seconds
from .steps import Steps

TOKENS = np.array([1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048], np.float64)
DECODES = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256], np.float64)
SEQUENCES = np.array([1, 16, 64, 128, 256], np.float64)
CONTEXTS = (256, 8_192)
"""Contexts to which attention is fitted; shorter ones hardly cost."""
MOST_CONTEXT = 500_000
"""Total context of a step to which attention is fitted."""


@dataclass(frozen=True)
class Fit:
    """The parts of ``kernel.pack``, seconds, and the relative error left (mean and p95 of steps, per law)."""

    kv: float
    prefill: list[float]
    mixed: list[float]
    decode: tuple[list[float], list[float]]
    tokens: tuple[list[float], list[float]]
    sequences: tuple[list[float], list[float]]
    error: dict[str, tuple[float, float]]

    def coefficients(self) -> Floats:
        """The packed array."""
        return pack(self.kv, self.prefill, self.mixed, self.decode, self.tokens, self.sequences)

    def toml(self, gpu: str, model: str, tp: int, source: str) -> str:
        """A ``[[fit]]`` table that ``form.from_file`` reads."""
        lines = ["[[fit]]", f'gpu = "{gpu}"', f'model = "{model}"', f"tp = {tp}", f'source = "{source}"']
        lines += [
            f"kv = {self.kv:.6g}",
            f"prefill = {_numbers(self.prefill)}",
            f"mixed = {_numbers(self.mixed)}",
        ]
        for name, table in (("decode", self.decode), ("tokens", self.tokens), ("sequences", self.sequences)):
            at, seconds = table
            lines.append(f"{name} = {{ at = {_numbers(at)}, seconds = {_numbers(seconds)} }}")
        errors = ", ".join(f"{law} = [{mean:.4f}, {p95:.4f}]" for law, (mean, p95) in self.error.items())
        return "\n".join([*lines, f"error = {{ {errors} }}"]) + "\n"


def _numbers(values: list[float]) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in values) + "]"


def fit_profile(profile: Profile) -> Fit:
    """Fit the coefficients of a step to measured kernels.

    Dense operators, experts and all-reduces become tables over the tokens of the step, the output head and
    the sampler one over the sampling requests; attention has one law each for decode, prefill and mixed
    steps.
    """
    measured_at, dense = dense_seconds(profile)
    layers = profile.model.layers
    dense += GRAPH_S * layers + all_reduce_seconds(profile.gpu, profile.model, profile.tp, measured_at)
    tokens = _table(TOKENS, measured_at, dense)
    sequences = _table(SEQUENCES, *sequence_seconds(profile))
    rows = _attention_rows(profile)
    rest = np.interp(rows["T"], TOKENS, tokens) + np.interp(rows["D"] + 1, SEQUENCES, sequences)
    rows["weight"] = 1.0 / (rest + rows["seconds"])
    near = (rows["context"] >= CONTEXTS[0]) & (rows["context"] <= CONTEXTS[1]) & (rows["kv"] <= MOST_CONTEXT)
    short = rows["C"] <= CONTEXTS[1]
    decode, decode_error = _law(rows, near & (rows["P"] == 0), ["kv"], hats=True)
    prefill, prefill_error = _law(rows, short & (rows["P"] > 0) & (rows["D"] == 0), ["1", "P", "P2", "PC", "C"])
    mixed, mixed_error = _law(
        rows, near & short & (rows["P"] > 0) & (rows["D"] > 0), ["1", "D", "kv", "P", "P2", "PC", "C", "PD"]
    )
    base = decode[1:] + np.interp(DECODES, TOKENS, tokens) + np.interp(DECODES, SEQUENCES, sequences)
    return Fit(
        decode[0],
        prefill.tolist(),
        mixed.tolist(),
        (DECODES.tolist(), base.tolist()),
        (TOKENS.tolist(), (tokens + EAGER_S * layers).tolist()),
        (SEQUENCES.tolist(), sequences.tolist()),
        {"decode": decode_error, "prefill": prefill_error, "mixed": mixed_error},
    )


def _attention_rows(profile: Profile) -> dict[str, Floats]:
    """The columns of the attention table under the names of ``kernel``, all layers."""
    frame = profile.attention
    table = {name: frame[name].to_numpy().astype(np.float64) for name in frame.columns}
    chunk, decodes = table["prefill_chunk"], table["n_decode"]
    earlier = table["kv_prefill"] * (chunk > 0)
    return {
        "1": np.ones_like(chunk),
        "D": decodes,
        "kv": decodes * table["kv_decode"],
        "context": np.where(decodes > 0, table["kv_decode"], 0.0),
        "T": chunk + decodes,
        "P": chunk,
        "P2": chunk**2,
        "PC": chunk * earlier,
        "C": earlier,
        "PD": chunk * decodes,
        "seconds": profile.model.layers * table["time_us"] * 1e-6,
    }


def _law(
    rows: dict[str, Floats], chosen: npt.NDArray[np.bool_], terms: list[str], hats: bool = False
) -> tuple[Floats, tuple[float, float]]:
    """Coefficients of one attention law over the chosen rows, and its relative error (mean, p95)."""
    columns = [rows[term][chosen] for term in terms]
    if hats:
        columns += list(_hats(DECODES, rows["D"][chosen]).T)
    features, seconds, weight = np.column_stack(columns), rows["seconds"][chosen], rows["weight"][chosen]
    found = nonnegative_least_squares(features * weight[:, None], seconds * weight)
    error = np.abs(features @ found - seconds) * weight
    return found, (float(error.mean()), float(np.quantile(error, 0.95)))


def _table(knots: Floats, x: Floats, y: Floats) -> Floats:
    """Values at the knots of the continuous piecewise linear function nearest to (x, y) in relative error."""
    return nonnegative_least_squares(_hats(knots, x) / y[:, None], np.ones_like(y))


def _hats(knots: Floats, x: Floats) -> Floats:
    """Shape (len(x), len(knots)): the weights with which values at the knots interpolate at x."""
    return np.column_stack([np.interp(x, knots, unit) for unit in np.eye(len(knots))])


def nonnegative_least_squares(features: Floats, target: Floats) -> Floats:
    """Least squares with non-negative coefficients: negative ones are dropped, the most negative first."""
    scale = np.abs(features).mean(axis=0)
    scale[scale == 0] = 1.0
    kept = list(range(features.shape[1]))
    while True:
        solved: Floats = np.linalg.lstsq(features[:, kept] / scale[kept], target, rcond=None)[0]
        if not kept or solved.min() >= 0:
            break
        kept.pop(int(solved.argmin()))
    found = np.zeros(features.shape[1])
    found[kept] = solved / scale[kept]
    return found


def fit_steps(steps: Steps) -> Fit:
    """Fit the coefficients of a step to an engine's own log of steps; prompts of one step count as equally long.

    Raises
    ------
    InputError
        If fewer than ten steps of either kind (decode only, with prompt tokens) were logged.
    """
    decodes, context, chunk, earlier, seconds, prompts = steps
    pure, filled = (chunk == 0) & (decodes > 0), chunk > 0
    for kind, rows in (("decode-only steps", pure), ("steps with prompt tokens", filled)):
        if rows.sum() < 10:
            raise InputError(f"steptime fit: {int(rows.sum())} {kind} logged; needs at least 10")
    batch, step = _seen(DECODES, decodes[pure]), _seen(TOKENS, (decodes + chunk)[filled])
    decode, decode_error = _relative(np.column_stack([context[pure], _hats(batch, decodes[pure])]), seconds[pure])
    each = chunk / np.maximum(prompts, 1.0)
    sums = np.column_stack([context, chunk * each, earlier * each])[filled]
    law, error = _relative(np.column_stack([sums, _hats(step, (decodes + chunk)[filled])]), seconds[filled])
    kv, square, cross = law[:3].tolist()
    return Fit(
        float(decode[0]),
        [0.0, 0.0, square, cross, 0.0],
        [0.0, 0.0, kv, 0.0, square, cross, 0.0, 0.0],
        (batch.tolist(), decode[1:].tolist()),
        (step.tolist(), law[3:].tolist()),
        ([1.0], [0.0]),
        {"decode": decode_error, "mixed": error},
    )


def _seen(knots: Floats, x: Floats) -> Floats:
    """The knots that the data span."""
    inside = (knots >= x.min()) & (knots <= x.max())
    return np.unique(np.concatenate([[x.min()], knots[inside], [x.max()]]))


def _relative(features: Floats, seconds: Floats) -> tuple[Floats, tuple[float, float]]:
    found = nonnegative_least_squares(features / seconds[:, None], np.ones_like(seconds))
    error = np.abs(features @ found / seconds - 1.0)
    return found, (float(error.mean()), float(np.quantile(error, 0.95)))
