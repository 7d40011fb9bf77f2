"""A trace from what a running engine leaves behind: lengths, times and client numbers; prompts only if asked for."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..trace import Trace

_LINE = re.compile(r"(?:DEBUG|INFO) (\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ")
_ASKED = re.compile(r"Request (\S+) details: prompt: (.*), prompt_token_ids: (\[[\d, ]*\]), prompt_embeds")
_GIVEN = re.compile(  # the second form is that of vLLM 0.25
    r"Generated response (\S+?)( \(streaming (?:delta|complete)\))?"
    r"(?: details:|: output: .*,) output_token_ids: (\[[\d, ]*\])"
)
_KEPT = ("latency_s", "first_byte_s", "wait_s", "preemptions")


def read_log(path: Path, prompts: bool = False) -> Trace:
    """The requests of a log that were answered in full, by arrival.

    Parameters
    ----------
    path : the log of ``plimsoll proxy --log`` or of the vLLM plug-in (JSON lines), or vLLM's own log with
        ``--enable-log-requests --enable-log-outputs`` at level DEBUG, which holds the answers of /v1/completions
        from vLLM 0.33 on, those of /v1/chat/completions before. Pieces of a stream without text are not in it.
    prompts : keep the prompts, which vLLM's own log alone holds: as ``prompt_text`` where all are there as text,
        else as ``prompt_ids``.

    Returns
    -------
    Trace, arrivals from the first request; ``more`` holds what the log says about times and preemptions.

    Raises
    ------
    InputError
        If the file cannot be read, or a line is broken, or no request is in it, or no prompt that is asked for.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    ours = bool(lines) and lines[0].startswith("{")
    if ours and prompts:
        raise InputError(f"{path}: holds no prompts; only vLLM's own log does")
    rows = _from_json(path, lines) if ours else _from_vllm(lines, prompts)
    if not rows:
        needs = "level DEBUG, both log flags, and for what is not chat vLLM 0.33"
        raise InputError(f"{path}: no finished request; vLLM's own log needs {needs}")
    return _trace(sorted(rows, key=lambda row: row["arrival_s"]), path.stem)


def _from_json(path: Path, lines: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        row: dict[str, Any] = {}
        try:
            row = json.loads(line)
            whole = row.get("output_tokens") and row.get("status", 200) == 200
            fit = not whole or float(row["arrival_s"]) >= 0 <= int(row["prompt_tokens"])
        except (ValueError, KeyError, TypeError, AttributeError):
            fit = whole = False
        if not fit:
            raise InputError(f"{path}: line {number}: not a request of plimsoll's logs")
        if whole:
            rows += [row] * int(row.get("sequences", 1))
    return rows


def _from_vllm(lines: Iterable[str], prompts: bool) -> list[dict[str, Any]]:
    """Token ids are counted. The log has no year, which differences do not need.

    The prompts of one call to /v1/completions are asked as ID-0, ID-1, … and answered as ID, in the same order.
    """
    asked: dict[str, list[dict[str, Any]]] = {}
    parts: dict[str, list[dict[str, Any]]] = {}
    given: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        stamp = _LINE.search(line)
        if not stamp:
            continue
        if found := _ASKED.search(line):
            row: dict[str, Any] = {"arrival_s": _seconds(stamp[1]), "prompt_tokens": _ids(found[3])}
            if prompts:
                row |= {"prompt_text": _text(found[2]), "prompt_ids": np.array(json.loads(found[3]), int)}
            asked[found[1]] = [row]
            parts.setdefault(found[1].rpartition("-")[0], []).append(row)
        elif found := _GIVEN.search(line):
            answers, tokens = given.setdefault(found[1], []), _ids(found[3])
            if found[2] and answers:  # a stream's next piece, or the whole at its end
                before, _ = answers.pop()
                tokens += before if "delta" in found[2] else 0
            answers.append((tokens, _seconds(stamp[1])))
    return [row for name in given for row in _answered(asked.get(name) or parts.get(name, []), given[name])]


def _answered(parts: list[dict[str, Any]], given: list[tuple[int, float]]) -> Iterator[dict[str, Any]]:
    """One row per answer; none where the answers cannot be told apart, as in a stream of several prompts."""
    if parts and len(given) % len(parts) == 0:
        each = len(given) // len(parts)
        for at, (tokens, end) in enumerate(given):
            part = parts[at // each]
            if tokens:
                yield part | {"output_tokens": tokens, "latency_s": end - part["arrival_s"]}


def _seconds(stamp: str) -> float:
    form = "%Y-%m-%d %H:%M:%S" + (".%f" if "." in stamp else "")
    return datetime.strptime(f"2000-{stamp}", form).timestamp()


def _ids(text: str) -> int:
    return text.count(",") + 1 if len(text) > 2 else 0


def _text(quoted: str) -> str | None:
    """The prompt as Python prints it; None where the request had none as text."""
    try:
        return ast.literal_eval(quoted)
    except (SyntaxError, ValueError):
        return None


def _trace(rows: list[dict[str, Any]], name: str) -> Trace:
    arrival = np.array([row["arrival_s"] for row in rows], np.float64)
    prompt = np.array([row["prompt_tokens"] for row in rows], np.int64)
    output = np.array([row["output_tokens"] for row in rows], np.int64)
    client = np.array([row.get("client", 0) for row in rows], np.int64)
    more = {
        key: np.array([np.nan if row[key] is None else row[key] for row in rows], np.float64)
        for key in _KEPT
        if all(key in row for row in rows)
    }
    for key in ("prompt_text", "prompt_ids"):
        if all(row.get(key) is not None for row in rows):
            more[key] = np.empty(len(rows), object)
            for at, row in enumerate(rows):
                more[key][at] = row[key]
            break
    return Trace(arrival - arrival[0], prompt, output, name, client=client if client.any() else None, more=more)
