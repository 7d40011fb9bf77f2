"""Things by name: ``alpha-beta:alpha=0.2,beta=0.1`` is built in, ``my.py:ShortestFirst:share=0.1`` is a user's."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from .errors import InputError, PolicyError


def load(spec: str, known: Mapping[str, Any], word: str, hook: str) -> Any:
    """An instance of the class that ``spec`` names, with its parameters set.

    Parameters
    ----------
    spec : a name of ``known``, or ``file.py:Class``; then optionally a colon and ``a=1,b=2``. A value without a name
        goes to the parameter in its place.
    known : classes, or "module:Class", by name.
    word : what such a thing is called in messages.
    hook : the method that a user's class must have.

    Raises
    ------
    InputError
        For an unknown name, class or parameter, or a value that is not a number.
    PolicyError
        If the user's file does not run; the message names file and line.
    """
    path, name, given = _split(spec)
    if path:
        kind = _from_file(Path(path), name, word, hook)
    elif name in known:
        kind = known[name]
    else:
        near = difflib.get_close_matches(name, known, n=1)
        there = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)} and FILE.py:CLASS"
        raise InputError(f"{word} {name}: unknown; {there}")
    if isinstance(kind, str):
        module, _, attribute = kind.partition(":")
        kind = getattr(import_module(module), attribute)
    return kind(**_values(kind, given, f"{word} {name}"))


def kebab(name: str) -> str:
    """The command-line name of a class: ``McSf`` is ``mc-sf``, ``AMax`` is ``a-max``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def called(thing: Any) -> str:
    """What a user calls it: a built-in by its command-line name, a class of their own as they wrote it."""
    name, ours = type(thing).__name__, type(thing).__module__.partition(".")[0] == __name__.partition(".")[0]
    return kebab(name) if ours else name


def names(text: str) -> list[str]:
    """The specs of a list separated by commas, whose parameters are separated by commas too.

    Examples
    --------
    >>> names("fcfs,alpha-beta:alpha=0.2,beta=0.1,svf")
    ['fcfs', 'alpha-beta:alpha=0.2,beta=0.1', 'svf']
    """
    found: list[str] = []
    for part in filter(None, text.split(",")):
        belongs = found and ":" in found[-1] and ":" not in part and re.match(r"\w+=", part)
        if belongs:
            found[-1] += f",{part}"
        else:
            found.append(part)
    return found


def _split(spec: str) -> tuple[str, str, str]:
    """(file or '', name, parameters)."""
    if spec.endswith(".py"):
        raise InputError(f"{spec}: name the class too, as in {spec}:Mine")
    match = re.match(r"(.+\.py):([^:]*):?(.*)$", spec)
    name, _, given = spec.partition(":")
    return (match[1], match[2], match[3]) if match else ("", name, given)


def _values(kind: Any, given: str, what: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for place, pair in enumerate(filter(None, given.split(","))):
        key, equals, text = pair.partition("=")
        if not equals:
            key, text = (kind._fields[place] if place < len(kind._fields) else f"value {place + 1}"), pair
        if key not in kind._fields:
            raise InputError(f"{what}: no parameter {key}; it has {', '.join(kind._fields) or 'none'}")
        values[key] = _value(text, get_type_hints(kind)[key], f"{what}: {key}")
    missing = [name for name in kind._fields if name not in kind._field_defaults and name not in values]
    if missing:
        raise InputError(f"{what}: needs a value for {missing[0]}, as in {missing[0]}=…")
    return values


def _value(text: str, annotation: Any, what: str) -> Any:
    """``text`` as the annotated type: int, float or bool; anything else is left to the class."""
    if annotation not in (int, float, bool):
        return text
    if annotation is bool:
        if text.lower() not in ("0", "1", "true", "false"):
            raise InputError(f"{what} must be true or false, not {text!r}")
        return text.lower() in ("1", "true")
    try:
        return annotation(text)
    except ValueError:
        raise InputError(
            f"{what} must be {'a whole number' if annotation is int else 'a number'}, not {text!r}"
        ) from None


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
    here = (
        [f for f in inspect.getinnerframes(error.__traceback__) if f.filename == str(path)]
        if error.__traceback__
        else []
    )
    return f"{path}:{here[-1].lineno}" if here else str(path)
