"""Service-level objectives: figures of a run that must stay within limits."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..host.result import Floats, Result
from ..metrics import tpot, ttft

FIGURES = {
    "ttft": "the steps of a prompt that has the server for itself",
    "tpot": "the time of one decode step",
    "latency": "the steps of a request that has the server for itself",
    "latency_per_token": "the steps of a request that has the server for itself, over its output",
}
"""What can be limited, and what stands in the way when no load is low enough."""
_FORM = re.compile(rf"(?P<statistic>mean|max|p\d\d?(?:\.\d+)?)_(?P<figure>{'|'.join(FIGURES)})<=(?P<limit>.+)")


@dataclass(frozen=True)
class Objective:
    """A limit on a statistic of a figure, as ``p99_ttft<=2``, in the host's unit."""

    statistic: str
    figure: str
    limit: float

    @staticmethod
    def of(text: str) -> Objective:
        """An objective from its text.

        Raises
        ------
        InputError
            If the text is not STATISTIC_FIGURE<=LIMIT.

        Examples
        --------
        >>> Objective.of("p99_ttft<=2")
        Objective(statistic='p99', figure='ttft', limit=2.0)
        """
        found = _FORM.fullmatch(text.replace(" ", ""))
        try:
            limit = float(found["limit"]) if found else math.nan
        except ValueError:
            limit = math.nan
        if found is None or not limit > 0:
            raise InputError(
                f"--slo {text}: must be STATISTIC_FIGURE<=LIMIT with a limit above 0, as p99_ttft<=2; statistics are "
                f"mean, max and percentiles, figures {', '.join(FIGURES)}"
            )
        return Objective(found["statistic"], found["figure"], limit)

    def __str__(self) -> str:
        return f"{self.statistic}_{self.figure}<={self.limit:g}"

    def value(self, result: Result) -> float:
        """The statistic over the requests of a run; a request that did not finish counts as infinite."""
        values = np.where(np.isfinite(result.finish), self._values(result), np.inf)
        if self.statistic.startswith("p"):
            # Interpolated between a request that finished and one that did not, a percentile is infinite.
            method = "linear" if np.isfinite(values).all() else "higher"
            return float(np.percentile(values, float(self.statistic[1:]), method=method))
        return float(values.mean() if self.statistic == "mean" else values.max())

    def _values(self, result: Result) -> Floats:
        if self.figure == "tpot":
            return np.where(result.output > 1, tpot(result), 0.0)  # one token has no pace
        if self.figure == "ttft":
            return ttft(result)
        return result.latency / (result.output if self.figure == "latency_per_token" else 1)
