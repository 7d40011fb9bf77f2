"""What is known of a request before it runs, as numbers: hashed n-grams of its prompt and simple counts."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..trace import Floats, Ints, Trace
from .embed import embedding

BUCKETS = 1 << 14
HEAD, TAIL = 4000, 2000  # characters of a prompt that are read: its beginning and its end
SAMPLING = ("temperature", "top_p", "top_k", "max_tokens")
PROMPTS = ("prompt_text", "prompt_ids")  # columns that hold prompts, text or lists of token ids
NAMED = ("model", "responder", "client_name")  # columns that tell whose answers these are, by name
COUNTS = (
    "characters",
    "words",
    "lines",
    "questions",
    "code",
    "digits",
    "capitals",
    "marks",
    "foreign",
    "largest_number",
    "word_length",
)
_WORD = re.compile(r"\w+|[^\w\s]")
_NUMBER = re.compile(r"\b\d{1,5}\b")


class Features(NamedTuple):
    """n requests as features.

    Attributes
    ----------
    start : shape (n + 1,); the n-grams of request i are ``gram[start[i]:start[i + 1]]``.
    gram : shape (g,), hashed n-grams, each once per request, in order of appearance; below BUCKETS.
    weight : shape (g,), log(1 + count), of Euclidean norm 1 within a request.
    dense : shape (n, len(NAMES)), see ``NAMES``; −1 where a request does not say.
    group : n names: the model or client that a request belongs to, "" where the trace does not say.
    vector : shape (n, d), the prompt as embedded; d = 0 without an embedding.
    """

    start: Ints
    gram: Ints
    weight: Floats
    dense: Floats
    group: list[str]
    vector: Floats


NAMES = ("prompt_tokens", *COUNTS, *SAMPLING)


def features(trace: Trace, embed: str = "") -> Features:
    """The features of every request of a trace; its outputs and arrivals are not looked at.

    The prompt is the column ``prompt_text`` (text) or ``prompt_ids`` (lists of token ids) where there is one.
    With ``embed``, the name of a sentence-transformers model, it is embedded too.
    """
    seen: dict[str, tuple[Ints, Floats, list[float]]] = {}
    parts = [_of_prompt(prompt, seen) for prompt in prompts(trace)]
    sizes = np.array([len(part[0]) for part in parts], dtype=np.int64)
    simple = np.array([part[2] for part in parts]).reshape(len(parts), len(COUNTS))
    sampling = [_numbers(trace, name) for name in SAMPLING]
    return Features(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate([part[0] for part in parts]) if parts else np.zeros(0, np.int64),
        np.concatenate([part[1] for part in parts]) if parts else np.zeros(0),
        np.column_stack([np.log1p(trace.prompt), simple, *sampling]),
        groups(trace),
        embedding(prompts(trace), embed),
    )


def rows(of: Features, chosen: Ints) -> Features:
    """The features of some of the requests, in the order of ``chosen``."""
    sizes = np.diff(of.start)[chosen]
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    take = np.arange(int(start[-1])) + np.repeat(of.start[chosen] - start[:-1], sizes)
    return Features(
        start, of.gram[take], of.weight[take], of.dense[chosen], [of.group[i] for i in chosen], of.vector[chosen]
    )


def prompts(trace: Trace) -> Sequence[Any]:
    """The prompts as text, or as lists of token ids; empty text where the trace has neither."""
    for column in PROMPTS:
        if column in trace.more:
            return ["" if prompt is None else prompt for prompt in trace.more[column]]
    return [""] * len(trace)


def groups(trace: Trace) -> list[str]:
    """The model or client of each request: the first of the columns in NAMED that is there."""
    for column in NAMED:
        if column in trace.more:
            return [str(name) for name in trace.more[column]]
    return [str(code) for code in trace.client] if trace.client is not None else [""] * len(trace)


def grams(prompt: Any) -> Iterator[str]:
    """Words and pairs of neighbouring words of a prompt, in order; a long one is read at both ends."""
    if isinstance(prompt, str):
        words = (word[0] for word in _WORD.finditer(_excerpt(prompt).lower()))
    else:
        half = HEAD // 2
        words = map(str, prompt if len(prompt) <= HEAD else itertools.chain(prompt[:half], prompt[-half:]))
    last = None
    for word in words:
        if last is not None:
            yield last
            yield f"{last} {word}"
        last = word
    if last is not None:
        yield last


def bucket(gram: str) -> int:
    """The place of an n-gram, 0 … BUCKETS − 1, the same on every machine."""
    return zlib.crc32(gram.encode("utf-8", "replace")) % BUCKETS


def _of_prompt(prompt: Any, seen: dict[str, tuple[Ints, Floats, list[float]]]) -> tuple[Ints, Floats, list[float]]:
    if isinstance(prompt, str) and prompt in seen:
        return seen[prompt]
    count: dict[int, int] = {}
    for gram in grams(prompt):
        place = bucket(gram)
        count[place] = count.get(place, 0) + 1
    weight = np.log1p(np.array(list(count.values()), dtype=np.float64))
    weight /= np.sqrt(weight @ weight) if len(weight) else 1.0
    made = np.array(list(count), dtype=np.int64), weight, _counts(prompt)
    if isinstance(prompt, str):
        seen[prompt] = made
    return made


def _counts(prompt: Any) -> list[float]:
    """The simple counts of a prompt, in the order of COUNTS; shares are of the characters that are read."""
    if not isinstance(prompt, str):
        return [-1.0] * len(COUNTS)
    text = _excerpt(prompt)
    size = max(len(text), 1)
    words = text.split()
    return [
        float(np.log1p(len(prompt))),
        float(np.log1p(len(words))),
        float(np.log1p(text.count("\n"))),
        float(text.count("?")),
        float("```" in text),
        sum(map(str.isdigit, text)) / size,
        sum(map(str.isupper, text)) / size,
        sum(not (c.isalnum() or c.isspace()) for c in text) / size,
        sum(c > "\x7f" for c in text) / size,
        float(np.log1p(max(map(int, _NUMBER.findall(text)), default=0))),
        sum(map(len, words)) / max(len(words), 1),
    ]


def _excerpt(text: str) -> str:
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


def _numbers(trace: Trace, name: str) -> Floats:
    column = trace.more.get(name)
    if column is None or column.dtype.kind not in "iufb":
        return np.full(len(trace), -1.0)
    return np.nan_to_num(column.astype(np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0)
