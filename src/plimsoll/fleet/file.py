"""A fleet in a TOML file: a table for each kind of replica."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..host.serving import Serving
from .fleet import Fleet
from .stages import LINK_GB_PER_S, LINK_LATENCY_S, Stages

ROLES = ("both", "prefill", "decode")
_OPTIONS = {field.name for field in fields(Serving)} - {"curve_s"}
_LINK = {"link_gb_per_s": LINK_GB_PER_S, "link_latency_s": LINK_LATENCY_S}


def read_fleet(path: Path, common: dict[str, Any], router: str) -> Fleet | Stages:
    """The fleet in a file.

    Parameters
    ----------
    common : options of ``Serving`` for every replica that does not say otherwise.

    Raises
    ------
    InputError
        One line that names the file, the replica and the key.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    tables: Any = given.pop("replica", None)
    if not isinstance(tables, list) or not tables:
        raise InputError(f"{path}: no [[replica]]")
    for key, value in given.items():
        if key not in _LINK or isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{path}: {key}: known are [[replica]] and the numbers {', '.join(_LINK)}")
    found: dict[str, list[Serving]] = {role: [] for role in ROLES}
    for at, table in enumerate(tables, 1):
        role, several = _replicas(f"{path}: replica {at}", dict(table), common)
        found[role] += several
    if found["both"] and (found["prefill"] or found["decode"]):
        raise InputError(f"{path}: either every replica has a role, prefill or decode, or none has")
    if found["both"]:
        return Fleet(found["both"], router)
    if not (found["prefill"] and found["decode"]):
        raise InputError(f"{path}: replicas for prefill and for decode are needed")
    try:
        return Stages(Fleet(found["prefill"], router), Fleet(found["decode"], router), **(_LINK | given))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _replicas(where: str, table: dict[str, Any], common: dict[str, Any]) -> tuple[str, list[Serving]]:
    count, role = table.pop("count", 1), table.pop("role", "both")
    if type(count) is not int or count < 1:
        raise InputError(f"{where}: count must be a whole number of at least 1, not {count!r}")
    if role not in ROLES:
        raise InputError(f"{where}: role must be prefill, decode or both, not {role!r}")
    for key in table:
        if key not in _OPTIONS:
            raise InputError(f"{where}: unknown key {key!r}; known are count, role, {', '.join(sorted(_OPTIONS))}")
    given = {**common, **table}
    if "gpu" in table and "blocks" not in table:
        given["blocks"] = None  # another GPU holds another number
    try:
        replica = Serving(**given)
        _ = replica.step_time(), replica.kv_blocks()
    except (InputError, TypeError) as error:
        raise InputError(f"{where}: {error}") from None
    return role, [replica] * count
