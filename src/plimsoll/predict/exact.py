"""The clairvoyant predictor, and uniform noise around it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..policy.law import law_of
from ..trace import Trace
from .forecast import Forecast, forecast


class Exact(NamedTuple):
    """The true output length."""

    source = "clairvoyance"

    def plan(self, trace: Trace, rng: np.random.Generator) -> Forecast:
        return forecast(trace.output)
