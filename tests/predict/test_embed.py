"""Embedded prompts, through a stand-in for sentence-transformers: its real models are downloads."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra learn")

from plimsoll.errors import InputError
from plimsoll.predict import embed, load_predictor
from plimsoll.predict.evaluate import evaluate_model
from plimsoll.predict.features import features
from plimsoll.predict.model import BUCKETS, load, save
from plimsoll.predict.train import train
from plimsoll.trace import Trace

from .prompts import LENGTHS, log


class Encoder:
    """Embeds a prompt as its log length in the made-up log, and counts how many it was given."""

    given = 0

    def __init__(self, name: str) -> None:
        if name == "missing":
            raise OSError("missing is not a model\nand more")

    def encode(self, prompts: list[str]) -> np.ndarray:
        Encoder.given = len(prompts)
        known = [[np.log(LENGTHS[kind]) for kind in LENGTHS if kind in prompt] for prompt in prompts]
        return np.array([[found[0] if found else 0.0, 1.0] for found in known])


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = Encoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    embed._encoder.cache_clear()


def test_equal_prompts_are_embedded_once() -> None:
    vectors = embed.embedding(["a poem", "an essay", "a poem"], "stand-in")
    assert Encoder.given == 2
    assert vectors[:, 0] == pytest.approx(np.log([300, 900, 300]))


def test_without_a_name_nothing_is_embedded() -> None:
    assert features(log(5)).vector.shape == (5, 0)


def test_a_model_carries_its_embedding(tmp_path: Path) -> None:
    trained = train(log(600), embed="stand-in")
    assert trained.gram_weight.shape == (BUCKETS + 2,)
    assert trained.gram_weight[BUCKETS] != 0
    save(trained, tmp_path / "m.plim")
    assert load(tmp_path / "m.plim").embed == "stand-in"
    found = evaluate_model(load(tmp_path / "m.plim"), log(400, seed=1))
    assert found.scores["learned"]["spearman"] > 0.9
    belief = load_predictor(f"learned:{tmp_path / 'm.plim'}").plan(log(50, seed=2), np.random.default_rng(0))
    assert len(belief.predicted) == 50


def test_what_cannot_be_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"--embed missing: cannot be loaded: missing is not a model$"):
        embed.embedding(["a"], "missing")
    ids = np.empty(1, dtype=object)
    ids[0] = [1, 2]
    with pytest.raises(InputError, match="needs prompts as text"):
        features(Trace(np.zeros(1), np.ones(1), np.ones(1), more={"prompt_ids": ids}), "stand-in")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    embed._encoder.cache_clear()
    with pytest.raises(InputError, match="pip install sentence-transformers"):
        embed.embedding(["a"], "stand-in")
