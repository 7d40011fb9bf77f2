"""The errors that reach a user: one clear line each."""


class InputError(ValueError):
    """Bad input. The message names the file, row and column, or the parameter and its range."""


class CapacityError(InputError):
    """A request that can never fit, or a policy that overfills the cache."""


class PolicyError(InputError):
    """A policy that cannot be loaded, compiled or run. The message names its file and line."""
