"""A trained model as a predictor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..trace import Trace
from .belief import Belief, whole
from .features import features
from .model import forecast, load


class Learned(NamedTuple):
    """The model in a file of ``plimsoll predict train``: its median, its bounds and the law of its error.

    Parameters
    ----------
    model : path of the file.
    bit : predict one bit: the mean of the outputs that the model calls short, or of those that it calls long.
    """

    model: str
    bit: bool = False

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """One kind per width of the bounds; with ``bit``, the two proxies are those of the training data."""
        if not self.model:
            raise InputError("predictor learned: name the model's file, as in learned:model.plim")
        model = load(self.model)
        seen = forecast(model, features(trace, model.embed))
        if self.bit:
            long = (seen.long > 0.5).astype(np.int64)
            return Belief(model.proxy[long], long, model.bit_survival)
        lower, upper = seen.lower.astype(np.int64), seen.upper.astype(np.int64)
        return Belief(whole(seen.median), seen.kind, model.survival, lower, upper)
