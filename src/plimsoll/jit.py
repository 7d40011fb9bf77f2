"""Compilation: Numba with a disk cache that notices every change it depends on.

Numba's own cache looks at the file of a compiled function, not at the files of the functions it calls.
Here each function is cached in a folder named after the fingerprint of its module and of every module
that its globals come from, so an edited callee can never be served from a stale cache.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from numba import config
from platformdirs import user_cache_dir

_ROOT = Path(os.environ.get("NUMBA_CACHE_DIR") or user_cache_dir("plimsoll"))


def njit(*signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with the cache on and the GIL released. Always called: ``@njit()`` or ``@njit(signature)``."""

    def decorate(function: Callable[..., Any]) -> Any:
        config.__dict__["CACHE_DIR"] = str(_ROOT / _fingerprint(function.__globals__, set()))
        return numba.njit(*signature, **{"cache": True, "nogil": True, "_nrt": True, **options})(function)

    return decorate


def bare(*signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``njit`` for code that allocates nothing: no reference counts, whose locked increments cost a third of a run.

    Whoever calls a bare function keeps its arrays alive. One that returns an array must be called from bare code only:
    counting code would release what was never counted. Code that does allocate fails to compile.
    """
    return njit(*signature, _nrt=False, **options)


def inlined(*signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``bare``, compiled into every caller: as an argument, a state or a view is a hundred words to push, each time."""
    return bare(*signature, forceinline=True, **options)


def late(decorate: Callable[[Callable[..., Any]], Any]) -> Callable[[Callable[..., Any]], Any]:
    """Compile when the function is first called rather than when its module is imported: ``@late(njit(signature))``."""

    def postpone(function: Callable[..., Any]) -> Any:
        compiled = cache(lambda: decorate(function))

        @wraps(function)
        def call(*arguments: Any) -> Any:
            return compiled()(*arguments)

        call.__dict__["py_func"] = function
        call.__dict__["native"] = compiled
        return call

    return postpone


def native(function: Any) -> Callable[..., Any]:
    """A ``late`` function, compiled by now, so that whoever measures it can start the clock after that."""
    return function.native()


def plain(function: Any) -> Callable[..., Any]:
    """A compiled function as plain Python, and so every compiled function that it calls."""
    return _plain(function, {})


def _plain(function: Any, done: dict[Any, Callable[..., Any]]) -> Callable[..., Any]:
    body = getattr(function, "py_func", function)
    if body not in done:
        scope = dict(body.__globals__)
        done[body] = FunctionType(body.__code__, scope, body.__name__, body.__defaults__, body.__closure__)
        for name, value in body.__globals__.items():
            if hasattr(value, "py_func") and name in body.__code__.co_names:
                scope[name] = _plain(value, done)
    return done[body]


def _fingerprint(scope: dict[str, Any], seen: set[str]) -> str:
    """A digest of the source files that code with these globals depends on, numba and numpy aside."""
    return hashlib.sha256(" ".join(sorted(_sources(scope, seen))).encode()).hexdigest()[:16]


def _sources(scope: dict[str, Any], seen: set[str]) -> list[str]:
    name, file = scope.get("__name__", ""), scope.get("__file__")
    if name in seen or not file:
        return []
    seen.add(name)
    stat = os.stat(file)
    found = [f"{name}:{stat.st_mtime_ns}:{stat.st_size}"]
    for value in list(scope.values()):
        owner = getattr(getattr(value, "py_func", value), "__module__", None) or getattr(value, "__name__", None)
        if isinstance(owner, str) and _ours(owner, name):
            found += _sources(vars(sys.modules[owner]), seen)
    return found


def _ours(module: str, importer: str) -> bool:
    """True for plimsoll's own modules and for siblings of a user's policy file."""
    package = __name__.partition(".")[0]
    return (
        module in sys.modules
        and module != importer
        and module.partition(".")[0] in (package, importer.partition(".")[0])
    )
