"""The published schedulers, one file per family. A class here with a ``rank`` is in the catalogue.

``plimsoll.policies.Svf`` finds a class of any family by its own name.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from ..named import kebab
    from ..policy.load import catalogue

    if name.startswith("_") or kebab(name) not in catalogue():
        raise AttributeError(f"module {__name__!r} has no policy {name!r}")
    return catalogue()[kebab(name)]
