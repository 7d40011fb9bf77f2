"""The policy protocol: the hooks, their defaults, and how they become typed first-class functions.

A policy is a ``NamedTuple`` of numbers with the hooks that it needs as methods. Each hook is compiled once to
a function of (view, parameters, …), so an event loop that takes it as an argument is compiled once too, and a sweep
over parameters never compiles.
"""

from __future__ import annotations

import inspect
import math
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, get_type_hints

import numpy as np
import numpy.typing as npt
from numba import types
from numba.core.errors import NumbaError

from ..errors import InputError, PolicyError
from ..jit import bare, njit, plain
from ..named import called
from .view import FLOAT, FLOATS, HISTORY, INT, INTS, VIEW, Columns, History, View

START = 0  # admit: start the request now
STOP = 1  # admit: nobody starts now; ask again at the next step
SKIP = -1  # admit: not this one; try the next in the queue
RERANK = -2  # admit: the order has changed; rank everyone again, then ask about the new head
CHANGE = 1 << 40  # admit: nobody starts before an arrival, a finish or an eviction changes something
NEVER = math.inf  # wake: only when something happens


class Plan(NamedTuple):
    """A policy's own columns (n, c) and memory (m,), laid out before a run."""

    columns: npt.NDArray[np.float64] = np.zeros((0, 1))
    memory: npt.NDArray[np.float64] = np.zeros(1)


class Policy(Protocol):
    """Who starts when, and who gives memory back. Only ``rank`` is required; see docs/write-a-policy.md."""

    def rank(self, view: View, i: int) -> float:
        """The place of request i in the waiting queue, smaller first; ties by arrival, then id."""
        ...


@bare()
def newest(view: View) -> int:
    """The running request that started last."""
    last = view.running[0].id
    for r in view.running:
        if view.requests[r.id].turn > view.requests[last].turn:
            last = r.id
    return last


def rank(view: View, p: Columns, i: int) -> float:
    """First come, first served."""
    return view.requests[i].arrival


def admit(view: View, p: Columns, i: int) -> int:
    """Start while it fits now."""
    if view.evicted > 0:
        return STOP
    return START if view.requests[i].prompt + view.requests[i].generated <= view.free else CHANGE


def evict(view: View, p: Columns, out: Columns) -> int:
    """The newest first: one request, the last started; nobody while the next step fits."""
    if view.over == 0:
        return 0
    out[0] = newest(view)
    return 1


def limit(view: View, p: Columns, i: int) -> int:
    """No limit: a started request runs until it finishes."""
    return CHANGE


def select(view: View, p: Columns, out: Columns) -> int:
    """Every running request takes part in the next step."""
    for x in range(len(view.running)):
        out[x] = view.running[x].id
    return len(view.running)


def wake(view: View, p: Columns) -> float:
    """Never: ask only when something happens. A time that has come makes the host ask ``evict`` at once."""
    return NEVER


def leave(view: View, p: Columns, i: int) -> None:
    """Nothing to put right: request i has given up while it waited, which happens in engines only."""


def predict(history: History, p: Columns, i: int) -> None:
    """Nothing to add: all predictions were made before the run."""


def learn(history: History, p: Columns, i: int, output: int) -> None:
    """Nothing to learn."""


SIGNATURES = {
    "rank": FLOAT(VIEW, FLOATS, INT),
    "admit": INT(VIEW, FLOATS, INT),
    "evict": INT(VIEW, FLOATS, INTS),
    "limit": INT(VIEW, FLOATS, INT),
    "select": INT(VIEW, FLOATS, INTS),
    "wake": FLOAT(VIEW, FLOATS),
    "leave": types.void(VIEW, FLOATS, INT),
    "predict": types.void(HISTORY, FLOATS, INT),
    "learn": types.void(HISTORY, FLOATS, INT, INT),
}
DEFAULTS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (rank, admit, evict, limit, select, wake, leave, predict, learn)
}
_CASTS = {int: "int(p[{}])", float: "p[{}]", bool: "p[{}] != 0.0"}
_compiled: dict[tuple[type, str, bool], Callable[..., Any]] = {}


def has(policy: Any, hook: str) -> bool:
    """True if the policy (or predictor) brings this hook itself."""
    return callable(getattr(type(policy), hook, None)) and hook in SIGNATURES


def function_types(*hooks: str) -> list[types.FunctionType]:
    """The compiled types of these hooks, for the signature of an event loop."""
    return [types.FunctionType(SIGNATURES[hook]) for hook in hooks]


def ask(policy: Any, hook: str, compiled: bool = True) -> Callable[..., Any]:
    """The policy's hook, or its default, as a typed function of (view, parameters, …).

    Parameters
    ----------
    compiled : False runs the hook as plain Python, slowly.

    Raises
    ------
    PolicyError
        If the hook cannot be compiled; the message names file, line and reason.
    """
    kind: type = type(policy) if has(policy, hook) else type(None)
    if (kind, hook, compiled) not in _compiled:
        asked = _with_parameters(kind, hook, compiled) if kind is not type(None) else DEFAULTS[hook]
        _compiled[kind, hook, compiled] = _compile(asked, kind, hook) if compiled else asked
    return _compiled[kind, hook, compiled]


def parameters(policy: Any) -> npt.NDArray[np.float64]:
    """The policy's parameters as the array that its compiled hooks take.

    Raises
    ------
    InputError
        If one is not a number or outside the policy's ``ranges``.
    """
    hints = get_type_hints(type(policy))
    for name, value in policy._asdict().items():
        if hints[name] not in _CASTS or not isinstance(value, int | float):
            raise InputError(f"{called(policy)}: parameter {name} must be a number, not {value!r}")
        low, high = getattr(policy, "ranges", {}).get(name, (-math.inf, math.inf))
        if not low <= value <= high:
            raise InputError(f"{called(policy)}: parameter {name} must be in [{low:g}, {high:g}], not {value:g}")
    return np.array([*policy, 0.0], dtype=np.float64)


def _with_parameters(kind: Any, hook: str, compiled: bool) -> Callable[..., Any]:
    """``hook(self, …)`` as a function whose second argument is the array of parameters."""
    body = getattr(kind, hook)
    arguments = {"evict": ["out"], "select": ["out"], "wake": [], "learn": ["i", "output"]}.get(hook, ["i"])
    if len(inspect.signature(body).parameters) != 2 + len(arguments):
        wanted = ", ".join(["self", "history" if hook in ("predict", "learn") else "view", *arguments])
        raise PolicyError(f"{place(body)}: {hook} must take ({wanted})")
    hints = get_type_hints(kind)
    fields = ", ".join(_CASTS[hints[name]].format(j) for j, name in enumerate(kind._fields))
    name = f"{kind.__name__}_{hook}"
    call = ", ".join([f"kind({fields})", "view", *arguments])
    source = f"def {name}({', '.join(['view', 'p', *arguments])}):\n    return body({call})"
    scope = dict(body.__globals__) | {"body": _jit(kind)(body) if compiled else plain(body), "kind": kind}
    exec(compile(source, inspect.getfile(body), "exec"), scope)
    return scope[name]


def _jit(kind: type, *signature: Any) -> Any:
    """How to compile a hook: a user's may allocate."""
    ours = kind is type(None) or kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    return bare(*signature) if ours else njit(*signature)


def _compile(asked: Callable[..., Any], kind: type, hook: str) -> Callable[..., Any]:
    try:
        return _jit(kind, SIGNATURES[hook])(asked)
    except Exception as error:  # Numba raises bare KeyError, NotImplementedError and others beside its own
        raise _uncompiled(error, kind, hook) from error


def place(function: Any) -> str:
    """File and line of a hook."""
    return f"{inspect.getfile(function)}:{function.__code__.co_firstlineno}"


def _uncompiled(error: Exception, kind: type, hook: str) -> PolicyError:
    """A compiler's error as one line: where, and what to change."""
    file, line = place(getattr(kind, hook)).rsplit(":", 1)
    told = re.findall(rf'{re.escape(Path(file).name)}", line (\d+)', _uncoloured(error))
    lines = [number for number in told if int(number) > 2]  # 1 and 2 are the caller's around the hook
    return PolicyError(f"{file}:{[*lines, line][0]}: {kind.__name__}.{hook} cannot be compiled: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"a record has no field {error}"
    if not isinstance(error, NumbaError):
        return f"{type(error).__name__}: {error}"
    noise = ("During:", "Failed in", "File ", "There are", "- ", "Overload", "^", "raised from", "<source")
    lines = [line.strip() for line in _uncoloured(error).splitlines() if line.strip()]
    told = next((line for line in lines if not line.startswith(noise)), lines[0])
    return re.sub(r"\b(View|History)\(.*\)", r"\1", told)


def _uncoloured(error: Exception) -> str:
    """An error's text without the colours that Numba adds where Colorama is installed."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error))


def failed(error: Exception, policy: Any) -> PolicyError:
    """An exception raised inside a hook during a run, with the line that raised it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == _file(policy)]
    spot = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else _file(policy)
    return PolicyError(f"{spot}: {type(policy).__name__} raised {type(error).__name__}: {error}")


def _file(policy: Any) -> str:
    return inspect.getfile(type(policy))
