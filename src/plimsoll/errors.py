"""The errors that reach a user: one clear line each."""

from math import floor, log10


class InputError(ValueError):
    """Bad input. The message names the file, row and column, or the parameter and its range."""


class CapacityError(InputError):
    """A request that can never fit, or a policy that overfills the cache."""


class PolicyError(InputError):
    """A policy that cannot be loaded, compiled or run. The message names its file and line."""


def feasible(most: float) -> str:
    """A limit as a figure to be typed in: three significant digits, never more than ``most`` > 0.

    >>> feasible(0.01478), feasible(15.29), feasible(3)
    ('0.0147', '15.2', '3')
    """
    unit = 10.0 ** (floor(log10(most)) - 2)
    return f"{floor(most / unit * (1 + 1e-12)) * unit:.3g}"
