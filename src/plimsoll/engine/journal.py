"""What the adapter tells: metrics, why a request was held or preempted, and a line for each that finished."""

# pyright: reportMissingImports=false
# prometheus_client comes with the engine, which type checks run without

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import IO, Any

from ..errors import InputError

_RATIOS = (0.125, 0.25, 0.5, 0.71, 1.0, 1.41, 2.0, 4.0, 8.0)
_SECONDS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
_metrics: dict[str, Any] = {}


def metrics() -> dict[str, Any]:
    """The metrics of this process in Prometheus' own registry, where vLLM's are; empty without that package."""
    if not _metrics:
        try:
            from prometheus_client import Counter, Gauge, Histogram
        except ModuleNotFoundError:
            return _metrics
        _metrics.update(
            admitted=Counter("plimsoll:admitted", "Requests admitted to the running batch."),
            waiting=Gauge("plimsoll:waiting", "Requests waiting.", multiprocess_mode="livesum"),
            held=Counter(
                "plimsoll:held", "Requests that fitted at that moment and were held at the head of the queue."
            ),
            preempted=Counter("plimsoll:preempted", "Preemptions made."),
            avoided=Counter("plimsoll:avoided", "Preemptions that would have come had held requests started."),
            spared=Counter(
                "plimsoll:spared", "Steps in which the policy chose another victim than the newest request."
            ),
            ratio=Histogram("plimsoll:output_ratio", "True over predicted output.", buckets=_RATIOS),
            decision=Histogram("plimsoll:decision_seconds", "Time of decisions in a step.", buckets=_SECONDS),
            fallback=Gauge("plimsoll:stock_order", "1 once plimsoll gave way to stock order.", multiprocess_mode="max"),
        )
    return _metrics


class Journal:
    """Keeps the last explanations, and writes files where asked.

    Parameters
    ----------
    explain, log : files to append JSON lines to, or None (see `plimsoll.engine.options.Options`).

    Raises
    ------
    InputError
        If one cannot be written.
    """

    KEPT = 1000

    def __init__(self, explain: Path | None, log: Path | None) -> None:
        self.metrics = metrics()
        self.recent: deque[dict[str, Any]] = deque(maxlen=self.KEPT)
        self._explain = _open("explain", explain)
        self._log = _open("log", log)

    def tell(self, request: str, event: str, **why: Any) -> None:
        """A request was held or preempted, and why."""
        self.recent.append({"request": request, "event": event, **why})
        if self._explain:
            self._explain.write(json.dumps(self.recent[-1]) + "\n")

    def finished(self, **row: Any) -> None:
        """A request has finished; lengths and times only."""
        if self._log:
            self._log.write(json.dumps(row) + "\n")

    def count(self, name: str, amount: float = 1) -> None:
        """Add to a counter."""
        if name in self.metrics:
            self.metrics[name].inc(amount)

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        if name in self.metrics:
            self.metrics[name].set(value)

    def observe(self, name: str, value: float) -> None:
        """Add to a histogram."""
        if name in self.metrics:
            self.metrics[name].observe(value)

    def why(self, request: str) -> list[dict[str, Any]]:
        """What the journal still knows about a request, oldest first."""
        return [entry for entry in self.recent if entry["request"] == request]


def _open(setting: str, path: Path | None) -> IO[str] | None:
    try:
        return path.open("a", buffering=1, encoding="utf-8") if path else None
    except OSError as error:
        raise InputError(f"plimsoll settings: {setting} {path} cannot be written: {error.strerror}") from error
