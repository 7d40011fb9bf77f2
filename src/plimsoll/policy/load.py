"""The catalogue of policies, and a policy by name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any

from .. import named
from .protocol import parameters


@cache
def catalogue() -> dict[str, Any]:
    """The built-in policies by name: every ``NamedTuple`` with a ``rank`` in ``plimsoll.policies``."""
    found: dict[str, Any] = {}
    home = importlib.import_module("plimsoll.policies")
    for info in pkgutil.iter_modules(home.__path__, "plimsoll.policies."):
        for kind in vars(importlib.import_module(info.name)).values():
            if (
                inspect.isclass(kind)
                and kind.__module__ == info.name
                and hasattr(kind, "_fields")
                and hasattr(kind, "rank")
            ):
                found[named.kebab(kind.__name__)] = kind
    return found


def load_policy(spec: str | Any) -> Any:
    """A policy from its name or from ``file.py:Class``, with parameters after a colon; a policy is returned as it is.

    Raises
    ------
    InputError
        For an unknown name, class or parameter, or a parameter out of its range.
    PolicyError
        If the file of the policy does not run; the message names file and line.
    """
    policy = named.load(spec, catalogue(), "policy", "rank") if isinstance(spec, str) else spec
    parameters(policy)
    return policy


def default_predictor(policy: Any) -> str:
    """The predictor that a policy runs with unless the user names one: ``exact``, or its own ``predictor``."""
    return getattr(type(policy), "predictor", "exact")


def entries() -> list[dict[str, Any]]:
    """The catalogue as ``policies --json`` prints it, in alphabetical order."""
    return [
        {
            "name": name,
            "summary": (inspect.getdoc(kind) or "").split("\n")[0],
            "parameters": {field: kind._field_defaults.get(field) for field in kind._fields},
            "uses": kind.uses,
            "guarantee": kind.guarantee,
            "source": kind.source,
        }
        for name, kind in sorted(catalogue().items())
    ]
