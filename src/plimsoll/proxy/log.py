"""The proxy's log: one JSON object per request, lengths and times only."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ..errors import InputError


@dataclass
class Passed:
    """One request that passed.

    Attributes
    ----------
    arrival_s : Unix time of arrival, seconds.
    client : number of the client, in order of first appearance.
    prompt_tokens : prompt tokens of one sequence; estimated from characters where ``estimated``.
    output_tokens : output tokens of one sequence, None where unknown.
    priority : what the engine was told, None if nothing.
    first_byte_s, latency_s : seconds since arrival until the engine's first and last byte.
    status : HTTP status; 0 if the client left before the end, or the engine broke its answer off.
    sequences : sequences of the request (prompts times answers per prompt).
    """

    arrival_s: float
    client: int
    prompt_tokens: int = 0
    output_tokens: int | None = None
    estimated: bool = True
    priority: int | None = None
    first_byte_s: float | None = None
    latency_s: float | None = None
    status: int = 0
    sequences: int = 1


class RequestLog:
    """Appends one line per request to a file, or nothing without one.

    Raises
    ------
    InputError
        If the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        try:
            self._file: IO[str] | None = path.open("a", buffering=1, encoding="utf-8") if path else None
        except OSError as error:
            raise InputError(f"--log {path}: cannot be written: {error.strerror}") from error

    def write(self, passed: Passed) -> None:
        """Append one line."""
        if self._file:
            self._file.write(json.dumps(asdict(passed)) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


class Clients:
    """Numbers clients by their key or address, of which only a digest under a key of this process is held."""

    MOST = 100_000  # further clients share number 0

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)
        self._numbers: dict[bytes, int] = {}

    def number(self, identity: bytes) -> int:
        """The client's number, from 1."""
        digest = hashlib.blake2b(identity, key=self._secret, digest_size=16).digest()
        if digest not in self._numbers and len(self._numbers) >= self.MOST:
            return 0
        return self._numbers.setdefault(digest, len(self._numbers) + 1)
