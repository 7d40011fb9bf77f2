"""Counting the tokens of an answer while its bytes pass."""

from __future__ import annotations

import re

_USAGE = re.compile(rb'"(prompt|completion)_tokens"\s*:\s*(\d+)')
_EVENT = re.compile(rb"^data: ?\{", re.MULTILINE)
_CARRY = 64  # bytes kept so that a figure cut by a chunk boundary is read whole


class Answer:
    """Reads usage figures, and counts events where a stream carries none.

    Inside JSON strings a quote is escaped and a newline is never bare, so generated text can imitate neither.
    """

    def __init__(self) -> None:
        self._carry = b""
        self._usage: dict[bytes, int] = {}
        self._events = 0

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes of the answer."""
        seen = self._carry + chunk
        if b"_tokens" in seen:
            for found in _USAGE.finditer(seen):
                self._usage[found[1]] = int(found[2])
        self._events += len(_EVENT.findall(seen)) - len(_EVENT.findall(self._carry))
        self._carry = seen[-_CARRY:]

    @property
    def prompt_tokens(self) -> int | None:
        """Prompt tokens of all sequences, where the answer says so."""
        return self._usage.get(b"prompt")

    @property
    def output_tokens(self) -> int | None:
        """Output tokens of all sequences: the stated usage, else the events of the stream, else None."""
        stated = self._usage.get(b"completion")
        return stated if stated is not None else (self._events or None)
