"""Prompts as vectors by a sentence-transformers model, where that library is installed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ..errors import InputError
from ..trace import Floats


def embedding(prompts: Sequence[Any], name: str) -> Floats:
    """Each prompt as a vector, shape (n, d); (n, 0) without a name. Equal prompts are embedded once.

    Parameters
    ----------
    prompts : text; lists of token ids cannot be embedded.
    name : a sentence-transformers model, a name or a folder.

    Raises
    ------
    InputError
        If the library or the model is not there, or a prompt is not text.
    """
    if not name:
        return np.zeros((len(prompts), 0))
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise InputError(f"--embed {name}: needs prompts as text (column prompt_text), not token ids")
    place = {prompt: row for row, prompt in enumerate(dict.fromkeys(prompts))}
    vectors = np.asarray(_encoder(name).encode(list(place)), dtype=np.float64)
    return vectors[[place[prompt] for prompt in prompts]]


@cache
def _encoder(name: str) -> Any:
    try:
        library: Any = import_module("sentence_transformers")
    except ImportError as error:
        raise InputError(f"--embed {name}: needs sentence-transformers: pip install sentence-transformers") from error
    try:
        return library.SentenceTransformer(name)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"--embed {name}: cannot be loaded: {reason}") from error
