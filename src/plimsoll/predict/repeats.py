"""Prompts that come again: what their answers were, in a table of bounded size."""

from __future__ import annotations

import zlib
from array import array
from typing import Any

from ..jit import njit
from ..trace import Floats

PLACES = 4096  # prompts remembered, by hash; a newer one takes the place of an older
TRUST = 0.3  # answers' worth of what is believed anyway: answers to one prompt differ little beside those to all
RECENT = 3.0  # answers of a prompt that count


def fingerprint(prompt: Any, group: str) -> float:
    """That of a prompt, text or token ids, sent to this model or by this client; 0 of one that is empty."""
    if len(prompt) == 0:
        return 0.0
    whose = zlib.crc32(f"{group}\0".encode("utf-8", "replace"))
    what = prompt.encode("utf-8", "replace") if isinstance(prompt, str) else array("q", prompt).tobytes()
    return 1.0 + zlib.crc32(what, whose)


@njit()
def recall(table: Floats, prompt: float, believed: float) -> float:
    """The log length ``believed``, drawn to that of the prompt's own answers.

    Parameters
    ----------
    table : shape (3 · PLACES,): fingerprints, counts, mean log lengths.
    """
    place = int(prompt) % PLACES
    if prompt == 0.0 or table[place] != prompt:
        return believed
    count = table[PLACES + place]
    return float((count * table[2 * PLACES + place] + TRUST * believed) / (count + TRUST))


@njit()
def remember(table: Floats, prompt: float, y: float) -> None:
    """An answer of log length ``y`` to this prompt."""
    place = int(prompt) % PLACES
    if prompt == 0.0:
        return
    if table[place] != prompt:
        table[place], table[PLACES + place] = prompt, 0.0
    count = min(table[PLACES + place] + 1.0, RECENT)
    mean = table[2 * PLACES + place] if count > 1.0 else y
    table[PLACES + place], table[2 * PLACES + place] = count, mean + (y - mean) / count
