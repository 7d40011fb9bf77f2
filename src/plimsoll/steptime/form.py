"""A step time: coefficients and what they stand on."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .datasheet import datasheet_coefficients
from .hardware import gpu_named
from .kernel import Floats, decode_base, pack, prefill_seconds
from .model import DTYPES, bytes_of, model_named

NONE = [0.0] * 8
FLAT = ([1.0], [0.0])


@dataclass(frozen=True, eq=False)
class StepTime:
    """Seconds of one step. Two are equal if they are one: an array has no single truth, nor a hash.

    Attributes
    ----------
    name : the form and its parameters, for tables.
    basis : what the figures stand on: exact, fitted to measured kernels (with the source), or datasheet.
    coefficients : the array of ``kernel.pack``.
    """

    name: str
    basis: str
    coefficients: Floats

    def decode(self, decodes: int, context: float) -> float:
        """Seconds of a step of ``decodes`` requests with ``context`` tokens of context in all."""
        return float(decode_base(self.coefficients, decodes) + self.coefficients[0] * context)

    def prefill(self, chunks: list[tuple[int, int]], decodes: int = 0, context: float = 0.0) -> float:
        """Seconds of a step with prompt ``chunks`` of (tokens, earlier context), each sampling a token."""
        chunk, earlier = np.array(chunks, np.float64).T
        sums = (chunk.sum(), (chunk**2).sum(), (chunk * earlier).sum(), earlier.sum())
        return float(prefill_seconds(self.coefficients, decodes, context, decodes + len(chunks), *sums))


def unit() -> StepTime:
    """Every step takes one second: the discrete-round model."""
    return StepTime("unit", "exact: one second a step", pack(0.0, NONE[:5], NONE, ([1.0], [1.0]), ([1.0], [1.0]), FLAT))


def linear(fixed: float, per_token: float) -> StepTime:
    """``fixed + per_token * tokens`` seconds, the batch-time law of Bari et al. and others.

    Raises
    ------
    InputError
        If either is negative or not finite, or both are 0.
    """
    if not (fixed >= 0 and per_token >= 0 and 0 < fixed + per_token < np.inf):
        raise InputError(f"--steptime linear:{fixed:g}:{per_token:g}: seconds must be at least 0, and not all 0")
    line = ([0.0, 1.0], [fixed, fixed + per_token])
    return StepTime(f"linear:{fixed:g}:{per_token:g}", "exact: given", pack(0.0, NONE[:5], NONE, line, line, FLAT))


def table(tokens: list[float], seconds: list[float]) -> StepTime:
    """Piecewise linear in the tokens of the step: flat up to the first point, continued beyond the last.

    Raises
    ------
    InputError
        If the points do not ascend in tokens, descend in seconds, or start at a time of 0 or less.
    """
    if len(tokens) != len(seconds) or not tokens or not np.all(np.diff(tokens) > 0) or not tokens[0] >= 0:
        raise InputError("--steptime table: as many seconds as tokens, tokens ascending from 0 or more")
    if not (seconds[0] > 0 and np.all(np.diff(seconds) >= 0) and np.isfinite([*tokens, *seconds]).all()):
        raise InputError("--steptime table: seconds must be above 0 and not fall as tokens grow")
    flat = tokens[0] > 0
    points = ([0.0] * flat + list(map(float, tokens)), [float(seconds[0])] * flat + list(map(float, seconds)))
    return StepTime("table", "exact: given", pack(0.0, NONE[:5], NONE, points, points, FLAT))


def roofline(
    gpu: str, model: str, tp: int = 1, dtype: str | None = None, kv_cache_dtype: str | None = None
) -> StepTime:
    """The step time of a model on a GPU: fitted to measured kernels, else a datasheet's.

    Parameters
    ----------
    dtype : of the weights, one of ``model.DTYPES``; as published where left out.
    kv_cache_dtype : of the KV cache; bf16 where left out.

    Raises
    ------
    InputError
        If a name is not known, or ``tp`` does not divide the heads of the model.
    """
    device, published = gpu_named(gpu), model_named(model)
    shape, kv_bytes = published.in_dtype(dtype), bytes_of("--kv-cache-dtype", kv_cache_dtype or "bf16")
    if tp < 1 or shape.heads % tp:
        raise InputError(f"--tp: {tp} does not divide the {shape.heads} heads of {shape.name}")
    name = f"{shape.name} on {device.name}" + (f" tp {tp}" if tp > 1 else "")
    name += "".join(f" {word} {given}" for word, given in (("in", dtype), ("kv", kv_cache_dtype)) if given)
    as_measured = (shape, kv_bytes) == (published, DTYPES["bf16"])
    for entry in _shipped():
        if as_measured and (entry["gpu"], entry["model"], entry["tp"]) == (device.name, shape.name, tp):
            return StepTime(name, f"fitted: {entry['source']}", _coefficients(entry))
    note = "datasheet: bandwidth and arithmetic at stated efficiencies, no measurement of this GPU and model"
    return StepTime(name, note, datasheet_coefficients(device, shape, tp, kv_bytes))


def from_file(path: Path) -> StepTime:
    """Coefficients written by ``plimsoll steptime fit``.

    Raises
    ------
    InputError
        If the file is not such a table; the message names the file and the key.
    """
    try:
        entry = tomllib.loads(path.read_text())["fit"][0]
        return StepTime(f"{entry['model']} on {entry['gpu']}", f"fitted: {entry['source']}", _coefficients(entry))
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a file of fitted step times ({error})") from error


def parse(text: str) -> StepTime:
    """``unit``, ``linear:FIXED:PER_TOKEN``, ``table:TOKENS=SECONDS,…`` or the path of a fitted file.

    Examples
    --------
    >>> parse("table:1=0.02,256=0.03").decode(1, 0)
    0.02
    """
    if text.endswith(".toml"):
        return from_file(Path(text))
    form, *given = text.split(":")
    try:
        if form == "unit" and not given:
            return unit()
        if form == "linear" and len(given) == 2:
            return linear(float(given[0]), float(given[1]))
        if form == "table" and len(given) == 1:
            points = [tuple(map(float, point.split("="))) for point in given[0].split(",")]
            tokens, seconds = zip(*points, strict=True)
            return table(list(tokens), list(seconds))
    except ValueError as error:
        raise InputError(f"--steptime {text}: {error}") from error
    raise InputError(
        f"--steptime {text}: unit, linear:FIXED:PER_TOKEN, table:TOKENS=SECONDS,… or a .toml file of "
        "plimsoll steptime fit"
    )


@cache
def _shipped() -> list[dict[str, Any]]:
    return tomllib.loads(files("plimsoll.steptime").joinpath("fitted.toml").read_text())["fit"]


def _coefficients(entry: dict[str, Any]) -> Floats:
    """The packed array of a fit, or of max(a + bT, c + dT) + e kv + f D + g P2 + h PC in milliseconds."""
    if "closed_form_ms" in entry:
        a, b, c, d, e, f, g, h = (1e-3 * value for value in entry["closed_form_ms"])
        crossing = (a - c) / (d - b)
        knots = [0.0, crossing, 2 * crossing]
        dense = [a, a + b * crossing, c + 2 * d * crossing]
        decode = [y + f * x for x, y in zip(knots, dense, strict=True)]
        return pack(e, [0.0, 0.0, g, h, 0.0], [0.0, f, e, 0.0, g, h, 0.0, 0.0], (knots, decode), (knots, dense), FLAT)
    tables = [(entry[name]["at"], entry[name]["seconds"]) for name in ("decode", "tokens", "sequences")]
    return pack(entry["kv"], entry["prefill"], entry["mixed"], tables[0], tables[1], tables[2])
