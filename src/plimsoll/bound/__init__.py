"""Bounds, optima, the fluid limit and adversaries. ``plimsoll.bound(trace, capacity)`` is `solve.bound`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """The package under the name of its main function: importing any of its modules must not hide that."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        from .solve import bound

        return bound(*arguments, **named)


sys.modules[__name__].__class__ = _Callable
