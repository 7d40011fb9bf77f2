"""Everything that a policy needs: the protocol, the view, and the shared tests and draws."""

from .draw import uniform
from .load import catalogue, load_policy
from .memory import fits, greedy_wait, peak_wait, remaining, reserved_wait, volume
from .protocol import CHANGE, NEVER, RERANK, SKIP, START, STOP, Plan, Policy
from .view import History, View

__all__ = [
    "CHANGE", "NEVER", "RERANK", "SKIP", "START", "STOP", "History", "Plan", "Policy", "View",
    "catalogue", "fits", "greedy_wait", "load_policy", "peak_wait", "remaining", "reserved_wait", "uniform", "volume",
]  # fmt: skip
