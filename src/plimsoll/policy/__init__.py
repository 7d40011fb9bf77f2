"""Everything that a policy needs: the protocol, the view, and the shared tests and draws."""

from .draw import cleared, uniform
from .load import catalogue, load_policy
from .memory import fits, greedy_wait, peak_wait, remaining, reserved_wait, volume
from .protocol import CHANGE, NEVER, RERANK, SKIP, START, STOP, Plan, Policy, newest
from .view import History, View

__all__ = [
    "CHANGE", "NEVER", "RERANK", "SKIP", "START", "STOP", "History", "Plan", "Policy", "View",
    "catalogue", "cleared", "fits", "greedy_wait", "load_policy", "newest", "peak_wait", "remaining",
    "reserved_wait", "uniform", "volume",
]  # fmt: skip
