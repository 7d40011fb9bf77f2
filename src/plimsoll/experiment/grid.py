"""A grid of runs from a TOML file: every key is an option of ``plimsoll run``, and a list is an axis."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any, get_type_hints

from ..errors import InputError
from ..named import names
from ..policy.load import load_policy
from ..predict.load import load_predictor
from .cell import Cell
from .setting import Setting

_SETTING = {field.name: get_type_hints(Setting)[field.name] for field in fields(Setting)}
_KNOWN: dict[str, Any] = {**_SETTING, "policy": str, "predictor": str | None}
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Grid:
    """What to run.

    Attributes
    ----------
    axes : the values of each option, by its name, in the order of the file.
    """

    axes: dict[str, list[Any]]

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    def __iter__(self) -> Iterator[Cell]:
        for values in product(*self.axes.values()):
            given = dict(zip(self.axes, values, strict=True))
            policy, predictor = given.pop("policy"), given.pop("predictor", None)
            yield Cell(Setting(**given), policy, predictor)

    @property
    def varied(self) -> list[str]:
        """The options with more than one value."""
        return [name for name, values in self.axes.items() if len(values) > 1]


def read_grid(path: Path) -> Grid:
    """The grid in a TOML file.

    Raises
    ------
    InputError
        One line that names the file and the key: not TOML, an unknown key, a value of the wrong kind, an empty
        list, no trace or no policy, or a policy or predictor that cannot be loaded.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    axes = {_known(key, path): _values(key, value, path) for key, value in given.items()}
    for needed in ("trace", "policy"):
        if needed not in axes:
            raise InputError(f'{path}: no {needed}; give one, as in {needed} = "…", or a list')
    for policy in axes["policy"]:
        load_policy(policy)
    for predictor in axes.get("predictor", []):
        load_predictor(predictor)
    return Grid(axes)


def _known(key: str, path: Path) -> str:
    name = key.replace("-", "_")
    if name not in _KNOWN:
        near = difflib.get_close_matches(name, _KNOWN, n=1)
        there = f"did you mean {near[0]}?" if near else f"known are {', '.join(_KNOWN)}"
        raise InputError(f"{path}: unknown key {key!r}; {there}")
    return name


def _values(key: str, value: Any, path: Path) -> list[Any]:
    name = key.replace("-", "_")
    given: list[Any] = list(value) if isinstance(value, list) else [value]
    if name in ("policy", "predictor") and isinstance(value, str):
        given = names(value)
    if not given:
        raise InputError(f"{path}: {key} is an empty list")
    for at, each in enumerate(given):
        kinds = [kind for kind in _WORDS if kind is _KNOWN[name] or kind in getattr(_KNOWN[name], "__args__", ())]
        if float in kinds and isinstance(each, int) and not isinstance(each, bool):
            given[at] = float(each)
        elif type(each) not in kinds:
            raise InputError(f"{path}: {key} must be {_WORDS[kinds[0]]}, not {each!r}")
    if len(set(given)) < len(given):
        twice, _ = Counter(given).most_common(1)[0]
        raise InputError(f"{path}: {key} has {twice!r} twice")
    return given
