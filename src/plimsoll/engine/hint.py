"""What a client says about the length of its answer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Hint(NamedTuple):
    """What a client says about the length of an answer, output tokens; None where it does not say."""

    tokens: float | None = None
    lower: float | None = None
    upper: float | None = None


def read_hint(given: dict[str, Any], threshold: int) -> Hint | None:
    """What a request's ``extra_args`` (``vllm_xargs`` in the OpenAI API) say; nonsense is passed over.

    Parameters
    ----------
    given : ``predicted_output_tokens``, ``_lower``, ``_upper`` or ``_bit`` among others.
    threshold : output tokens above which the bit is 1.

    Examples
    --------
    >>> read_hint({"predicted_output_bit": 1}, threshold=256)
    Hint(tokens=None, lower=257.0, upper=None)
    >>> read_hint({"predicted_output_tokens": "many"}, threshold=256)
    """
    tokens, lower, upper, bit = (
        _number(given.get(f"predicted_output_{name}")) for name in ("tokens", "lower", "upper", "bit")
    )
    if bit is not None:
        lower, upper = (threshold + 1.0, upper) if bit else (lower, float(threshold))
    if tokens is None and lower is None and upper is None:
        return None
    return Hint(tokens, lower, upper)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
