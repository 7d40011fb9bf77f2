"""Features: the same on every machine, bounded for any prompt, silent about the output."""

from dataclasses import replace

import numpy as np
import pytest

from plimsoll.predict.features import BUCKETS, COUNTS, NAMES, bucket, features, grams, rows
from plimsoll.trace import Trace

from .prompts import log


def one(prompt: object, column: str = "prompt_text") -> Trace:
    cell = np.empty(1, dtype=object)
    cell[0] = prompt
    return Trace(np.zeros(1), np.array([7]), np.array([5]), more={column: cell})


def test_grams_are_words_and_pairs() -> None:
    assert list(grams("Sum it, now")) == ["sum", "sum it", "it", "it ,", ",", ", now", "now"]
    assert list(grams([5, 7, 5])) == ["5", "5 7", "7", "7 5", "5"]
    assert list(grams("")) == []


def test_buckets_never_change() -> None:
    assert [bucket(gram) for gram in ("write", "a list", "日本")] == [14943, 13660, 3532]


def test_by_hand() -> None:
    of = features(one("a a b"))
    assert of.start.tolist() == [0, 4]
    assert of.gram.tolist() == [bucket("a"), bucket("a a"), bucket("a b"), bucket("b")]
    raw = np.log1p([2, 1, 1, 1])
    assert of.weight == pytest.approx(raw / np.linalg.norm(raw))
    assert of.dense[0, 0] == pytest.approx(np.log(8))
    assert dict(zip(NAMES[1:], of.dense[0, 1:].tolist(), strict=True))["words"] == pytest.approx(np.log(4))
    assert of.group == [""]


@pytest.mark.parametrize("prompt", ["", " ", None, "x" * 4_000_000, "word " * 1_000_000, "\ud800?"])
def test_any_prompt_has_features(prompt: str | None) -> None:
    of = features(one(prompt))
    assert np.all(np.isfinite(of.dense))
    assert np.all((of.gram >= 0) & (of.gram < BUCKETS))
    assert len(of.gram) <= 6100


def test_a_million_token_ids_have_features() -> None:
    of = features(one(list(range(1_000_000)), "prompt_ids"))
    assert 0 < len(of.gram) <= 8001
    assert of.dense[0, 1 : 1 + len(COUNTS)].tolist() == [-1.0] * len(COUNTS)


def test_output_and_arrival_are_not_looked_at() -> None:
    trace = log(50)
    other = replace(trace, output=trace.output + 100, arrival=trace.arrival * 3)
    for a, b in zip(features(trace), features(other), strict=True):
        assert np.array_equal(a, b)


def test_rows_are_the_features_of_those_rows() -> None:
    trace = log(40)
    chosen = np.array([7, 3, 3, 39])
    picked = rows(features(trace), chosen)
    more = {name: values[chosen] for name, values in trace.more.items()}
    again = Trace(np.zeros(4), trace.prompt[chosen], trace.output[chosen], more=more)
    for a, b in zip(picked, features(again), strict=True):
        assert np.array_equal(a, b)


def test_sampling_parameters_and_groups() -> None:
    more = {"temperature": np.array([0.5, np.nan]), "max_tokens": np.array([64, 128])}
    of = features(Trace(np.zeros(2), np.ones(2), np.ones(2), client=np.array([4, 9]), more=more))
    assert of.dense[:, NAMES.index("temperature")].tolist() == [0.5, -1.0]
    assert of.dense[:, NAMES.index("max_tokens")].tolist() == [64, 128]
    assert of.dense[:, NAMES.index("top_p")].tolist() == [-1, -1]
    assert of.group == ["4", "9"]
