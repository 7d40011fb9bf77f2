"""A completion request as the proxy sees it: how long its prompt is and how many tokens it may make."""

from __future__ import annotations

import json
from collections.abc import Sized
from dataclasses import dataclass
from typing import Any, cast

COMPLETION_PATHS = frozenset({"/v1/completions", "/v1/chat/completions"})


@dataclass(frozen=True)
class Asked:
    """What counts in a completion request.

    Attributes
    ----------
    fields : the body's own fields, to know what is there already.
    tokens : mean prompt tokens where token ids are given; None for text.
    characters : mean prompt characters where text is given.
    limit : most output tokens that the client allows, or None.
    prompts : prompts in the request.
    sequences : prompts times answers per prompt.
    """

    fields: frozenset[str]
    tokens: float | None
    characters: float
    limit: int | None
    prompts: int
    sequences: int


def read_request(body: bytes) -> Asked | None:
    """Read a completion request; None if the body is no JSON object (the engine then says what is wrong)."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    if not isinstance(parsed, dict):
        return None
    asked = cast(dict[str, Any], parsed)
    prompts, tokens, characters = _measure(asked)
    limits = [asked.get(name) for name in ("max_completion_tokens", "max_tokens")]
    known = [value for value in limits if isinstance(value, int) and value > 0]
    answers = asked.get("n")
    each = answers if isinstance(answers, int) and answers > 0 else 1
    return Asked(frozenset(asked), tokens, characters, min(known, default=None), prompts, prompts * each)


def with_priority(body: bytes, asked: Asked, priority: int) -> bytes:
    """The same body with ``priority`` set; no other byte changes unless the client sent a priority itself."""
    if "priority" in asked.fields:
        return json.dumps({**json.loads(body), "priority": priority}).encode()
    head = body.rstrip()[:-1].rstrip()
    return head + (b"," if asked.fields else b"") + b'"priority":%d}' % priority


def _measure(asked: dict[str, Any]) -> tuple[int, float | None, float]:
    """Number of prompts, mean prompt tokens where ids are given, mean prompt characters."""
    prompt = asked.get("prompt")
    if isinstance(prompt, str):
        return 1, None, float(len(prompt))
    if isinstance(prompt, list) and prompt:
        entries = cast(list[Any], prompt)
        if all(isinstance(entry, int) for entry in entries):
            return 1, float(len(entries)), 0.0
        of_ids = all(isinstance(entry, list) for entry in entries)
        mean = sum(len(entry) for entry in entries if isinstance(entry, Sized)) / len(entries)
        return len(entries), (mean if of_ids else None), (0.0 if of_ids else mean)
    return 1, None, float(_characters(asked.get("messages")) + _characters(asked.get("tools")))


def _characters(part: Any) -> int:
    """Characters of all text below ``part``; data URLs (images, sound) do not count."""
    if isinstance(part, str):
        return 0 if part.startswith("data:") else len(part)
    if isinstance(part, list):
        return sum(_characters(entry) for entry in cast(list[Any], part))
    if isinstance(part, dict):
        return sum(_characters(entry) for entry in cast(dict[str, Any], part).values())
    return 0
