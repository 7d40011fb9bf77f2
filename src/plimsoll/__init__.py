"""plimsoll: scheduling for LLM inference under a hard KV-cache memory limit."""

from .host.discrete import Rounds as rounds
from .simulate import simulate
from .trace import Trace

__all__ = ["Trace", "rounds", "simulate"]
