"""What simulation said against what an engine then did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..host.result import Result
from ..metrics import spread, ttft
from ..trace import Floats, Trace

_FIGURES = ("mean", "p50", "p95", "p99")


@dataclass(frozen=True)
class Compared:
    """One figure of both.

    Attributes
    ----------
    name : of the figure; times in seconds.
    engine, simulated : its values.
    """

    name: str
    engine: float
    simulated: float

    @property
    def difference(self) -> float | None:
        """Simulated over engine, less 1; None where the engine's figure is 0."""
        return self.simulated / self.engine - 1 if self.engine else None

    def to_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "name": self.name,
            "engine": self.engine,
            "simulated": self.simulated,
            "difference": self.difference,
        }


def check(log: Trace, result: Result) -> list[Compared]:
    """Latency, time to the first byte and preemptions, as far as the log has them.

    Parameters
    ----------
    log : what the engine did, from `plimsoll.engine.record.read_log`.
    result : the simulation of the same requests in the serving host.

    Raises
    ------
    InputError
        If the simulation is not in seconds, or the log has no latencies.
    """
    if result.unit != "s":
        raise InputError("check compares seconds: name a GPU and a model, or --host serving with --steptime")
    if "latency_s" not in log.more:
        raise InputError(f"{log.name}: the log has no latencies")
    rows = _both("latency", log.more["latency_s"], result.latency)
    if "first_byte_s" in log.more and np.isfinite(log.more["first_byte_s"]).all():
        rows += _both("first token", log.more["first_byte_s"], ttft(result))
    rows.append(Compared("requests", float(len(log)), float(result.completed)))
    if "preemptions" in log.more:
        made = float(np.nansum(log.more["preemptions"]))
        rows.append(Compared("preemptions", made, float(np.sum(result.evictions))))
    return rows


def _both(name: str, engine: Floats, simulated: Floats) -> list[Compared]:
    one, other = spread(engine), spread(simulated)
    return [Compared(f"{name} {figure}", one[figure] or 0.0, other[figure] or 0.0) for figure in _FIGURES]
