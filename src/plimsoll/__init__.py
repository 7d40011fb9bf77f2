"""plimsoll: scheduling for LLM inference under a hard KV-cache memory limit."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import policies as policies
    from .bounds.solve import bound as bound
    from .description import describe as describe
    from .experiment.run import compare as compare
    from .formats import write_trace as write_trace
    from .host.discrete import Rounds as rounds
    from .host.serving import Serving as serving
    from .simulation import simulate as simulate
    from .source import read_trace as read_trace
    from .trace import Trace as Trace

# The module and the name there of each public name, imported when first used, so that the command line starts
# fast. No module may share a public name: importing it would hide the name.
_PUBLIC = {
    "Trace": ("trace", "Trace"),
    "bound": ("bounds.solve", "bound"),
    "compare": ("experiment.run", "compare"),
    "describe": ("description", "describe"),
    "read_trace": ("source", "read_trace"),
    "rounds": ("host.discrete", "Rounds"),
    "serving": ("host.serving", "Serving"),
    "simulate": ("simulation", "simulate"),
    "write_trace": ("formats", "write_trace"),
}

__all__ = [
    "Trace",
    "bound",
    "compare",
    "describe",
    "policies",
    "read_trace",
    "rounds",
    "serving",
    "simulate",
    "write_trace",
]


def __getattr__(name: str) -> object:
    if name == "policies":
        return import_module(".policies", __name__)
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own = _PUBLIC[name]
    return getattr(import_module(f".{module}", __name__), own)
