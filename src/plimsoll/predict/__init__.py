"""Predictors: what is believed about the length of an output."""

from .baseline import Constant, MaxTokens
from .belief import Belief, Predictor
from .bit import OneBit
from .classes import Classes, Rank
from .error import Exact, Interval, Lognormal, Noisy, Upper
from .law import Law
from .learned import Learned
from .load import load_predictor
from .online import Online

__all__ = [
    "Belief",
    "Classes",
    "Constant",
    "Exact",
    "Interval",
    "Law",
    "Learned",
    "Lognormal",
    "MaxTokens",
    "Noisy",
    "OneBit",
    "Online",
    "Predictor",
    "Rank",
    "Upper",
    "load_predictor",
]
