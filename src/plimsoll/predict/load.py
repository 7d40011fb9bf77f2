"""A predictor by name."""

from __future__ import annotations

from typing import Any

from .. import named

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
    "law": "law:Law",
    "online": "online:Online",
    "learned": "learned:Learned",
}


def load_predictor(spec: str | Any) -> Any:
    """The predictor that ``spec`` names; a predictor is returned as it is.

    ``exact``, ``noisy:0.2``, ``one-bit:256,flip=0.1`` or ``my.py:Mine:share=0.5``: values without a name fill the
    parameters in their order.

    Raises
    ------
    InputError
        For a name, file, class or parameter that does not exist, or a value of the wrong type.
    """
    if not isinstance(spec, str):
        return spec
    return named.load(spec, {name: f"{__package__}.{place}" for name, place in NAMES.items()}, "predictor", "plan")
