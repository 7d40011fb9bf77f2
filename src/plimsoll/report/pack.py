"""Columns of numbers as text inside a page: one compressed block, unpacked by the browser itself."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt


class Pack:
    """Collects columns; each is told in the page's JSON by its place in the block."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, values: npt.ArrayLike) -> dict[str, Any]:
        """Store a column: whole numbers as int32, others as float32 (NaN where there is no value).

        Returns
        -------
        {"at": byte offset, "n": values, "t": "i" or "f"}, what the page's script reads it back with.
        """
        column = np.asarray(values).ravel()
        kind = "i" if column.dtype.kind in "biu" else "f"
        data = column.astype("<i4" if kind == "i" else "<f4").tobytes()
        place = {"at": self._length, "n": len(column), "t": kind}
        self._parts.append(data)
        self._length += len(data)
        return place

    def text(self) -> str:
        """The block: zlib, then base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 6)).decode("ascii")


def script_json(value: Any) -> str:
    """JSON that is safe inside a script element: it can neither close the element nor open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for bad in "<>&\u2028\u2029":
        text = text.replace(bad, f"\\u{ord(bad):04x}")
    return text
