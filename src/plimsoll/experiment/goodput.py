"""Goodput: how many requests of a run keep to a service-level objective, and whether the run as a whole does."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from ..host.result import Result
from ..metrics import goodput
from .attainment import Limits
from .objective import Objective

_STATISTIC = re.compile(r"\s*(mean|max|p\d[\d.]*)_")


class Slo(NamedTuple):
    """What was promised.

    Attributes
    ----------
    limits : what each request must keep to.
    objectives : what the run as a whole must keep to.
    """

    limits: Limits
    objectives: tuple[Objective, ...]

    @staticmethod
    def of(text: str) -> Slo:
        """Limits separated by commas; one with a statistic also binds the run.

        Raises
        ------
        InputError
            If one is not FIGURE<=LIMIT or STATISTIC_FIGURE<=LIMIT.

        Examples
        --------
        >>> slo = Slo.of("p99_ttft<=2,tpot<=0.05")
        >>> str(slo.limits), [str(objective) for objective in slo.objectives]
        ('ttft<=2,tpot<=0.05', ['p99_ttft<=2'])
        """
        parts = text.split(",")
        bind = tuple(Objective.of(part) for part in parts if _STATISTIC.match(part))
        single = [part for part in parts if not _STATISTIC.match(part)]
        single += [f"{o.figure}<={o.limit!r}" for o in bind if o.figure in Limits.__annotations__]
        return Slo(Limits.parse(",".join(single)) if single else Limits(), bind)

    def kept(self, result: Result) -> bool:
        """True if the run as a whole keeps every objective."""
        return all(objective.value(result) <= objective.limit for objective in self.objectives)

    def to_json(self, result: Result) -> dict[str, Any]:
        """What ``--json`` says: good requests, their share and their rate, and each objective with its value."""
        share, limits = self.limits.share(result), self.limits
        values = [(objective, objective.value(result)) for objective in self.objectives]
        return {
            "limits": str(limits),
            "good": round(share * len(result)),
            "share": share,
            "goodput": goodput(result, limits.ttft, limits.tpot, limits.latency),
            "objectives": [
                {"objective": str(o), "value": value if math.isfinite(value) else None, "met": value <= o.limit}
                for o, value in values
            ],
        }
