"""Policies and predictors by name: ``svf``, ``alpha-beta:alpha=0.2,beta=0.1``, ``my.py:ShortestFirst:share=0.1``."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InputError, PolicyError
from .protocol import parameters


@cache
def catalogue(package: str = "plimsoll.policies", hook: str = "rank") -> dict[str, Any]:
    """The built-in policies by name, in the order of their modules: every ``NamedTuple`` with a ``rank``."""
    found: dict[str, Any] = {}
    home = importlib.import_module(package)
    for info in pkgutil.iter_modules(home.__path__, f"{package}."):
        for kind in vars(importlib.import_module(info.name)).values():
            if inspect.isclass(kind) and kind.__module__ == info.name and hasattr(kind, "_fields") and hasattr(kind, hook):
                found[kebab(kind.__name__)] = kind
    return found


def kebab(name: str) -> str:
    """The command-line name of a class: ``McSf`` is ``mc-sf``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def load_policy(spec: str | Any) -> Any:
    """A policy from its name, or from ``file.py:Class``, with parameters after a colon.

    Raises
    ------
    InputError
        For an unknown name, class or parameter; the message says what there is.
    PolicyError
        If the file of the policy does not run; the message names file and line.
    """
    return load(spec, catalogue(), "policy", "rank") if isinstance(spec, str) else spec


def load(spec: str, known: dict[str, Any], word: str, hook: str) -> Any:
    """What ``spec`` names: a class of ``known`` or of a Python file, with its parameters set."""
    file, path, rest = _split(spec)
    if path:
        name, _, given = rest.partition(":")
        kind = _from_file(Path(path), name, word, hook)
    else:
        name, _, given = file.partition(":")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise InputError(f"unknown {word} {name!r}" + (f"; did you mean {near[0]!r}?" if near else f": one of {', '.join(known)}"))
        kind = known[name]
    return _with(kind, given, spec.partition(":")[0] if not path else name)


def _split(spec: str) -> tuple[str, str, str]:
    """(spec, '', '') for a name, (spec, file, rest) for ``file.py:rest``."""
    match = re.match(r"(.+\.py):(.+)$", spec)
    if spec.endswith(".py"):
        raise InputError(f"{spec}: name the class too, as in {spec}:MyPolicy")
    return (spec, match[1], match[2]) if match else (spec, "", "")


def _with(kind: Any, given: str, name: str) -> Any:
    """An instance of ``kind`` with ``a=1,b=2``; a value without a name goes to the first parameter."""
    values: dict[str, Any] = {}
    for position, pair in enumerate(filter(None, given.split(","))):
        key, equals, text = pair.partition("=")
        if not equals:
            key, text = (kind._fields[position] if position < len(kind._fields) else pair), pair
        if key not in kind._fields:
            raise InputError(f"{name} has no parameter {key!r}" + (f": it has {', '.join(kind._fields)}" if kind._fields else ""))
        values[key] = _number(text, f"{name}: parameter {key}")
    missing = [f for f in kind._fields if f not in kind._field_defaults and f not in values]
    if missing:
        raise InputError(f"{name} needs a value for {missing[0]}, as in {name}:{missing[0]}=…")
    made = kind(**values)
    parameters(made)
    return made


def _number(text: str, what: str) -> float | int | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    except ValueError:
        raise InputError(f"{what} must be a number, not {text!r}") from None


def _from_file(path: Path, name: str, word: str, hook: str) -> Any:
    module = _module(path.resolve(), word)
    kind = getattr(module, name, None)
    if kind is None or not hasattr(kind, "_fields") or not callable(getattr(kind, hook, None)):
        raise InputError(f"{path}: no {word} {name!r} there (a NamedTuple with a method {hook!r})")
    return kind


@cache
def _module(path: Path, word: str) -> Any:
    """The module of a user's file, under a name of its own so that compiled code is found again."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    name = f"{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PolicyError(f"{_line(error, path)}: cannot load the {word}: {type(error).__name__}: {error}") from error
    return module


def _line(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f"{path}:{error.lineno}"
    here = [f for f in inspect.getinnerframes(error.__traceback__) if f.filename == str(path)] if error.__traceback__ else []
    return f"{path}:{here[-1].lineno}" if here else str(path)
