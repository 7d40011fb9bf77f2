"""From the words of the command line to a predictor."""

from __future__ import annotations

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from ..errors import InputError
from .belief import Predictor

NAMES = {
    "exact": "error:Exact",
    "noisy": "error:Noisy",
    "lognormal": "error:Lognormal",
    "upper": "error:Upper",
    "interval": "error:Interval",
    "one-bit": "bit:OneBit",
    "classes": "classes:Classes",
    "rank": "classes:Rank",
    "constant": "baseline:Constant",
    "max_tokens": "baseline:MaxTokens",
}


def load_predictor(words: str) -> Predictor:
    """The predictor that the words name.

    ``exact``, ``noisy:0.2``, ``one-bit:256,flip=0.1`` or ``my.py:Mine:share=0.5``: values without a name fill
    the parameters in their order.

    Raises
    ------
    InputError
        For a name, file, class or parameter that does not exist, or a value of the wrong type.
    """
    if ".py:" in words:
        file, _, rest = words.partition(".py:")
        name, _, values = rest.partition(":")
        kind = _class_in(Path(f"{file}.py"), name)
    else:
        name, _, values = words.partition(":")
        if name not in NAMES:
            raise InputError(f"predictor {name}: unknown; known are {', '.join(NAMES)} and FILE.py:CLASS")
        module, _, attribute = NAMES[name].partition(":")
        kind = getattr(import_module(f".{module}", __package__), attribute)
    return kind(**_parameters(kind, name, values))


def _class_in(file: Path, name: str) -> Any:
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{file}: {type(error).__name__}: {error}") from error
    if not hasattr(getattr(module, name, None), "_fields"):
        raise InputError(f"{file}: no predictor {name} (a NamedTuple) in it")
    return getattr(module, name)


def _parameters(kind: Any, name: str, values: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    types = get_type_hints(kind)
    for place, word in enumerate(values.split(",") if values else []):
        key, equals, text = word.partition("=")
        if not equals:
            key, text = (kind._fields[place] if place < len(kind._fields) else f"value {place + 1}"), word
        if key not in kind._fields:
            known = ", ".join(kind._fields) or "none"
            raise InputError(f"predictor {name}: no parameter {key}; it has {known}")
        try:
            given[key] = types[key](text)
        except ValueError:
            raise InputError(f"predictor {name}: {key} must be {types[key].__name__}, not {text!r}") from None
    return given
