"""Files of plain data: a line of magic, a checksum, a line of JSON, then the bytes of arrays. Nothing in them runs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..atomic import replacing
from ..errors import InputError

Arrays = dict[str, npt.NDArray[Any]]


def write(path: str | Path, magic: str, head: Mapping[str, Any], arrays: Arrays) -> None:
    """Write ``head`` and ``arrays``; an existing file is replaced, and only by a whole one."""
    little = {name: np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for name, array in arrays.items()}
    layout = [[name, array.dtype.str, list(array.shape)] for name, array in little.items()]
    text = json.dumps({**head, "arrays": layout}).encode()
    payload = text + b"\n" + b"".join(array.tobytes() for array in little.values())
    digest = hashlib.sha256(payload).hexdigest()
    with replacing(path) as part:
        part.write_bytes(f"{magic}\n{digest}\n".encode() + payload)


def read(path: str | Path, magic: str, expected: Mapping[str, Any], cure: str) -> tuple[dict[str, Any], Arrays]:
    """The head and the arrays of a file that is as it was written.

    Parameters
    ----------
    magic : what the file is, its first line.
    expected : entries that the head must have; a file with others was made by another version.
    cure : what to do about a file that cannot be used, a few words.

    Raises
    ------
    InputError
        One line, if the file is missing, is of another kind, was changed after it was written, or is of another
        version.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    start = f"{magic}\n".encode()
    if not content.startswith(start):
        raise InputError(f"{path}: not a {magic}; {cure}")
    digest, _, payload = content[len(start) :].partition(b"\n")
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise InputError(f"{path}: changed since it was written (its sha256 does not match); {cure}")
    text, _, body = payload.partition(b"\n")
    head = json.loads(text)
    for name, value in expected.items():
        if head.get(name) != value:
            said = f"{name} {head.get(name)}, not {value}" if isinstance(value, int | str) else f"other {name}"
            raise InputError(f"{path}: made by another version: {said}; {cure}")
    return head, _cut(body, head["arrays"])


def _cut(body: bytes, layout: list[tuple[str, str, list[int]]]) -> Arrays:
    arrays: Arrays = {}
    for name, dtype, shape in layout:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        arrays[name] = np.frombuffer(body[:size], dtype).reshape(shape)
        body = body[size:]
    return arrays
