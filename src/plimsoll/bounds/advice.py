"""What the fluid says about a server: the figures, and in words whether it keeps up and what to wait for."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..policy.fluid import Fluid, LinearStep, Types, fluid
from ..policy.thresholds import (
    NestedMemory,
    Segments,
    Thresholds,
    nested_memory,
    nested_thresholds,
    wait_thresholds,
)


@dataclass(frozen=True)
class Advice:
    """The fluid equilibrium of a server and the thresholds to use on it.

    Attributes
    ----------
    wait, nested : the thresholds, or why there are none; ``whole`` of WAIT's is False for fractions.
    memory : what Nested WAIT needs to overflow with probability at most ``fail_prob``, or None.
    """

    types: Types
    step: LinearStep
    fluid: Fluid
    wait: Thresholds | str
    whole: bool
    segments: Segments
    nested: Thresholds | str
    memory: NestedMemory | None
    fail_prob: float

    @property
    def rate(self) -> float:
        """Requests per second, all types together."""
        return float(self.types.rate.sum())

    def words(self) -> list[str]:
        """What to tell a user, one sentence a line."""
        return [_stability(self), _wait(self), _nested(self)]

    def to_json(self) -> dict[str, Any]:
        """The answer of ``plimsoll fluid --json``; what is infinite is null."""
        types, found = self.types, self.fluid
        return {
            "schema": 1,
            "rate": self.rate,
            "load_token_iterations_per_s": found.load,
            "capacity_tokens": _number(found.capacity),
            "fixed_s": self.step.fixed_s,
            "per_token_s": self.step.per_token_s,
            "step_s": _number(found.step_s),
            "memory_tokens": _number(found.memory),
            "throughput_tokens_per_s": found.throughput,
            "stable": found.stable,
            "saturation_rate": _number(found.saturation * self.rate),
            "crossing_rate": _number(found.crossing * self.rate),
            "types": [
                {"rate": rate, "prompt": prompt, "output": output, "per_stage": _number(each)}
                for rate, prompt, output, each in zip(
                    types.rate.tolist(),
                    types.prompt.tolist(),
                    types.output.tolist(),
                    found.per_stage,
                    strict=True,
                )
            ],
            "wait": _thresholds(self.wait),
            "nested": _thresholds(self.nested)
            | {
                "bounds": self.segments.bounds.tolist(),
                "survive": self.segments.survive.tolist(),
                "required_tokens": None if self.memory is None else _number(self.memory.required),
                "fail_prob": self.fail_prob,
            },
            "words": self.words(),
        }


def advise(
    types: Types, step: LinearStep, capacity: float, *, horizon_s: float = 3600.0, fail_prob: float = 0.01
) -> Advice:
    """The fluid of these types at ``capacity`` tokens, and thresholds for WAIT and Nested WAIT.

    Parameters
    ----------
    horizon_s : how long the server runs, for the probability of overflow, seconds.
    fail_prob : probability of overflow that Nested WAIT's memory allows.
    """
    if not (np.isfinite(horizon_s) and horizon_s > 0):
        raise InputError(f"--horizon must be above 0 s, not {horizon_s}")
    wait, whole = _first_feasible(types, step, capacity)
    segments = Segments.of(types)
    rate = float(types.rate.sum())
    nested, memory = _nested_thresholds(segments, rate, step, capacity)
    if isinstance(nested, Thresholds):
        memory = nested_memory(segments, nested.count, horizon_s / step.fixed_s, fail_prob, len(segments.bounds))
    found = fluid(types, step, capacity)
    return Advice(types, step, found, wait, whole, segments, nested, memory, fail_prob)


def read_types(path: Path) -> tuple[Types, dict[str, float]]:
    """Types from a TOML file of ``[[type]]`` tables with rate, prompt and output.

    Returns
    -------
    The types, and whichever of capacity, fixed_s and per_token_s the file gives.

    Raises
    ------
    InputError
        One line that names the file and the entry.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    rows: Any = table.pop("type", [])
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: needs at least one [[type]] with rate, prompt and output")
    known = ("capacity", "fixed_s", "per_token_s")
    if unknown := sorted(set(table) - set(known)):
        raise InputError(f"{path}: unknown key {unknown[0]!r}; known are type, {', '.join(known)}")
    given = {key: _float(table[key], f"{path}: {key}") for key in table}
    triples = [_triple(rows[at], f"{path}: type {at}") for at in range(len(rows))]
    try:
        return Types.of(triples), given
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _triple(row: dict[str, Any], where: str) -> tuple[float, float, float]:
    for key in ("rate", "prompt", "output"):
        if key not in row:
            raise InputError(f"{where} has no {key}")
    rate, prompt, output = (_float(row[key], f"{where}: {key}") for key in ("rate", "prompt", "output"))
    return rate, prompt, output


def _float(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{what} must be a number, not {value!r}")
    return float(value)


def _first_feasible(types: Types, step: LinearStep, capacity: float) -> tuple[Thresholds | str, bool]:
    try:
        return wait_thresholds(types, step, capacity), True
    except InputError:
        try:
            return wait_thresholds(types, step, capacity, whole=False), False
        except InputError as error:
            return str(error), False


def _nested_thresholds(
    segments: Segments, rate: float, step: LinearStep, capacity: float
) -> tuple[Thresholds | str, NestedMemory | None]:
    try:
        found = nested_thresholds(segments, rate, step)
        return (found if found.memory <= capacity else nested_thresholds(segments, rate, step, whole=False)), None
    except InputError as error:
        return str(error), None


def _stability(advice: Advice) -> str:
    found = advice.fluid
    if not math.isfinite(found.memory):
        return (
            f"Outside the stability region: {advice.rate:.4g} requests/s exhaust the compute alone, whatever "
            f"the memory; it is exhausted from {found.saturation * advice.rate:.4g} requests/s on."
        )
    edge = f"{found.crossing * advice.rate:.4g} requests/s"
    where = f"the fluid settles at {found.memory:,.0f} tokens"
    if math.isinf(found.capacity):
        return f"No capacity given: {where}, and the compute is exhausted from {edge} on."
    share = found.memory / found.capacity
    if not found.stable:
        return (
            f"Outside the stability region: {where}, {share:.2f} times the {found.capacity:,.0f} there are; "
            f"queues grow without limit under any policy. The edge is at {edge}."
        )
    return (
        f"Inside the stability region: {where}, {share:.0%} of the {found.capacity:,.0f} there are. "
        f"The edge is at {edge}."
    )


def _wait(advice: Advice) -> str:
    if isinstance(advice.wait, str):
        return f"WAIT: {advice.wait}."
    counts = ", ".join(f"{count:.4g}" for count in advice.wait.count)
    how = "" if advice.whole else " (a fraction f lets one request enter every 1/f batches)"
    return (
        f"WAIT: thresholds {counts}{how}; they hold at most {advice.wait.memory:,.0f} tokens, a full "
        f"batch takes {advice.wait.step_s * 1000:.4g} ms, {advice.wait.slack:.3g} times as fast as the arrivals need."
    )


def _nested(advice: Advice) -> str:
    if isinstance(advice.nested, str):
        return f"Nested WAIT: {advice.nested}."
    counts = ", ".join(f"{count:.4g}" for count in advice.nested.count)
    ends = ", ".join(f"{end:.0f}" for end in advice.segments.bounds)
    text = f"Nested WAIT (lengths unknown): segments up to {ends} output tokens, thresholds {counts}"
    if advice.memory is None:
        return text + "."
    fits = (
        ""
        if math.isinf(advice.fluid.capacity)
        else (", which fits" if advice.memory.required <= advice.fluid.capacity else ", which does not fit")
    )
    return (
        f"{text}; {advice.memory.required:,.0f} tokens keep the probability of overflow below "
        f"{advice.fail_prob:g}{fits}."
    )


def _thresholds(found: Thresholds | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"thresholds": None, "memory_tokens": None, "step_s": None, "slack": None, "reason": found}
    return {
        "thresholds": found.count.tolist(),
        "memory_tokens": found.memory,
        "step_s": found.step_s,
        "slack": found.slack,
        "reason": None,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
