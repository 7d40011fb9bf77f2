"""What an operator can set, from vLLM's ``additional_config`` or the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from ..errors import InputError
from ..policy.load import load_policy
from ..policy.protocol import has
from ..predict.load import load_predictor

DEFAULT_POLICY = "load-line"


@dataclass(frozen=True)
class Options:
    """Settings of the adapters.

    ``additional_config={"plimsoll": {"policy": "svf:age=2000"}}`` or ``PLIMSOLL_POLICY=svf:age=2000``; the
    former wins.

    Attributes
    ----------
    policy : as in ``plimsoll run --policy``; ageing and protection are parameters of the policy. ``stock``
        switches plimsoll off.
    predictor : a predictor that learns while it runs, ``constant:TOKENS``, or ``max_tokens``.
    threshold : output tokens that the hint ``predicted_output_bit`` refers to.
    share : most of the wall clock that decisions may take before the adapter gives way to stock order.
    explain : file for one JSON line per request held or preempted, with the reason.
    log : file for one JSON line per finished request (lengths and times), for ``plimsoll record``.
    """

    policy: str = DEFAULT_POLICY
    predictor: str = "online"
    threshold: int = 256
    share: float = 0.1
    explain: Path | None = None
    log: Path | None = None

    @classmethod
    def read(cls, additional: Any = None, environment: Mapping[str, str] = os.environ) -> Options:
        """Gather the settings.

        Raises
        ------
        InputError
            For an unknown name, or a value of the wrong type.
        """
        given = additional.get("plimsoll", {}) if isinstance(additional, dict) else {}
        if not isinstance(given, dict):
            raise InputError("additional_config: plimsoll must be an object of settings")
        names = {field.name for field in fields(cls)}
        settings: dict[str, Any] = {
            name: environment[f"PLIMSOLL_{name.upper()}"]
            for name in names
            if environment.get(f"PLIMSOLL_{name.upper()}")
        } | cast(dict[str, Any], given)
        unknown = sorted(set(settings) - names)
        if unknown:
            raise InputError(f"plimsoll settings: no {unknown[0]!r}; there are {', '.join(sorted(names))}")
        casts = {"threshold": int, "share": float, "explain": Path, "log": Path}
        for name, cast_to in casts.items():
            if settings.get(name) is not None:
                try:
                    settings[name] = cast_to(settings[name])
                except (TypeError, ValueError):
                    raise InputError(f"plimsoll settings: {name} cannot be {settings[name]!r}") from None
        return cls(**settings)

    def load(self) -> tuple[Any, Any]:
        """The policy, and the predictor or None for each request's own limit.

        Raises
        ------
        InputError
            For an unknown policy or predictor, or a predictor that needs the true lengths.
        """
        policy = load_policy(self.policy)
        if self.predictor == "max_tokens":
            return policy, None
        predictor = load_predictor(self.predictor)
        if not has(predictor, "predict") and self.predictor.partition(":")[0] != "constant":
            raise InputError(
                f"predictor {self.predictor}: does not learn while it runs; an engine takes law, online, "
                "constant:TOKENS or max_tokens"
            )
        return policy, predictor
