"""One call for everything: a trace, a policy, a host and a predictor make a result."""

from __future__ import annotations

from typing import Any, Protocol

from .host.result import Result
from .policy.load import default_predictor, load_policy
from .predict.load import load_predictor
from .progress import Progress
from .trace import Floats, Trace


class Host(Protocol):
    """Where a policy runs: ``rounds(capacity=…)`` or ``serving(gpu=…, model=…)``."""

    name: str  # "rounds" or "serving"
    unit: str  # "rounds" or "s"

    @property
    def basis(self) -> str | None:
        """What its seconds stand on: measured kernels, a datasheet or what was given; None where it counts rounds."""
        ...

    @property
    def capacity(self) -> int:
        """M, tokens."""
        ...

    def arrivals(self, trace: Trace) -> Floats:
        """When each request arrives, in the host's unit, shape (n,)."""
        ...

    def run(
        self, trace: Trace, policy: Any, predictor: Any, seed: int, compiled: bool, progress: Progress | None
    ) -> Result:
        """Ask ``policy`` at every scheduling instant, apply its answers and enforce the memory limit."""
        ...


def simulate(
    trace: Trace,
    policy: Any,
    host: Host,
    predictor: Any = None,
    seed: int = 0,
    compiled: bool = True,
    progress: Progress | None = None,
) -> Result:
    """Run a policy on a trace.

    Parameters
    ----------
    trace : n requests.
    policy : a policy, or its name as on the command line (``"svf"``, ``"my.py:ShortestFirst:share=0.1"``).
    host : ``rounds(capacity=…)`` or ``serving(…)``.
    predictor : a predictor, or its name (``"exact"``, ``"noisy:0.2"``); left out: what the policy asks for, or exact.
    seed : of the predictor's and the policy's random draws.
    compiled : False runs the policy and the event loop as plain Python, slowly.
    progress : told how far the run is.

    Raises
    ------
    CapacityError
        If a request can never fit, or the policy overfills the cache.
    PolicyError
        If the policy cannot be compiled, or raises.

    Examples
    --------
    >>> from plimsoll import Trace, rounds, simulate
    >>> simulate(Trace.of([(0, 2, 3), (0, 1, 2)]), "svf", rounds(capacity=10)).finish
    array([3., 2.])
    """
    made = load_policy(policy)
    believed = load_predictor(default_predictor(made) if predictor is None else predictor)
    return host.run(trace, made, believed, seed, compiled, progress)
