"""A made-up log with prompts: the words of a prompt and who answers decide how long the answer is."""

import numpy as np

from plimsoll.trace import Trace

LENGTHS = {"essay": 900, "summary": 200, "code": 500, "yes": 20, "list": 120, "poem": 300}


def log(n: int = 1200, seed: int = 0) -> Trace:
    rng = np.random.default_rng(seed)
    kinds = rng.choice(list(LENGTHS), n)
    filler = rng.choice(["river", "copper", "letters", "winter", "garden", "engine"], (n, 3))
    prompts = [f"Write a {kind} about {' '.join(words)}" for kind, words in zip(kinds, filler, strict=True)]
    who = rng.choice(["terse", "wordy"], n)
    mean = np.array([LENGTHS[kind] for kind in kinds]) * np.where(who == "wordy", 2.0, 1.0)
    output = np.maximum(1, np.rint(mean * rng.lognormal(0, 0.3, n))).astype(np.int64)
    prompt = np.array([len(text.split()) for text in prompts])
    more = {"prompt_text": np.array(prompts, dtype=object), "model": who.astype(object)}
    return Trace(np.arange(n, dtype=float), prompt, output, "made-up", more=more)
