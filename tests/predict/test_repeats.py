"""A prompt that comes again is believed to be answered as before."""

import math

import numpy as np
import pytest

from plimsoll import Trace
from plimsoll.predict import Online
from plimsoll.predict.repeats import PLACES, fingerprint, recall, remember
from plimsoll.predict.replay import replay


def test_the_first_answer_counts_most():
    table = np.zeros(3 * PLACES)
    prompt = fingerprint("How far is the moon?", "model")
    assert recall(table, prompt, 5.0) == 5.0
    remember(table, prompt, 2.0)
    assert recall(table, prompt, 5.0) == pytest.approx((2.0 + 0.3 * 5.0) / 1.3)
    for _ in range(50):
        remember(table, prompt, 3.0)
    assert recall(table, prompt, 3.0) == pytest.approx(3.0)


def test_another_prompt_in_its_place_takes_it():
    table = np.zeros(3 * PLACES)
    remember(table, 7.0, 2.0)
    remember(table, 7.0 + PLACES, 4.0)
    assert recall(table, 7.0, 5.0) == 5.0
    assert recall(table, 7.0 + PLACES, 4.0) == 4.0


def test_an_empty_prompt_is_nobodys():
    table = np.zeros(3 * PLACES)
    remember(table, fingerprint("", "model"), 2.0)
    assert not table.any() and fingerprint([], "") == 0.0
    assert fingerprint([1, 23], "") != fingerprint([12, 3], "") and fingerprint("a", "b") != fingerprint("a", "c")


def test_a_second_pass_over_a_workload_is_nearly_known():
    """Prompts of words that say nothing about the lengths."""
    rng = np.random.default_rng(5)
    prompts = np.array([" ".join(rng.choice(list("abcdefgh"), 12)) for _ in range(60)], dtype=object)
    output = np.maximum(1, rng.lognormal(4, 1, 60)).astype(np.int64)
    trace = Trace(np.zeros(60), np.full(60, 12), output, more={"prompt_text": prompts})
    seen, _ = replay(Online(), trace, np.concatenate([np.arange(60), np.arange(60)]))
    error = np.abs(np.log(np.asarray(seen["predicted"][-60:]) / output))
    assert math.exp(np.median(error)) < 1.3
