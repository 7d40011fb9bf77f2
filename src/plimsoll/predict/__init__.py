"""Predictors: what is believed about the length of an output."""

from .baseline import Constant, MaxTokens
from .belief import Belief, Predictor
from .bit import OneBit
from .classes import Classes, Rank
from .error import Exact, Interval, Lognormal, Noisy, Upper
from .load import load_predictor

__all__ = [
    "Belief",
    "Classes",
    "Constant",
    "Exact",
    "Interval",
    "Lognormal",
    "MaxTokens",
    "Noisy",
    "OneBit",
    "Predictor",
    "Rank",
    "Upper",
    "load_predictor",
]
