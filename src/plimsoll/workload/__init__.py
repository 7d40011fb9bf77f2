"""Arrivals and lengths to generate: processes, laws of lengths, and the built-in workloads."""

from .arrivals import Arrivals, AtOnce, Gamma, OnOff, Periodic, Poisson, Replay
from .generate import Workload, cv_of_gaps, fit
from .lengths import Fixed, Geometric, Lengths, Lognormal, Mixture, Quantiles, Uniform
from .named import NAMED, Named
from .spec import default_capacity, generate, has_default_capacity, is_named, parse_arrivals, parse_lengths

__all__ = [
    "NAMED",
    "Arrivals",
    "AtOnce",
    "Fixed",
    "Gamma",
    "Geometric",
    "Lengths",
    "Lognormal",
    "Mixture",
    "Named",
    "OnOff",
    "Periodic",
    "Poisson",
    "Quantiles",
    "Replay",
    "Uniform",
    "Workload",
    "cv_of_gaps",
    "default_capacity",
    "fit",
    "generate",
    "has_default_capacity",
    "is_named",
    "parse_arrivals",
    "parse_lengths",
]
