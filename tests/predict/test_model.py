"""Training, the model's file and the learned predictor."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra learn")

from plimsoll.errors import InputError
from plimsoll.predict.evaluate import evaluate_model, evaluate_splits
from plimsoll.predict.features import features, rows
from plimsoll.predict.learned import Learned
from plimsoll.predict.model import MAGIC, Model, forecast, load, save
from plimsoll.predict.train import calibrated, fit, held_out, prompt_blocks, train
from plimsoll.trace import Trace

from .prompts import log


@pytest.fixture(scope="module")
def model() -> Model:
    return train(log(), theta=256, coverage=0.8, seed=0)


def test_it_learns_what_decides_the_length(model: Model) -> None:
    found = evaluate_model(model, log(1000, seed=1))
    assert found.scores["learned"]["spearman"] > 0.9
    assert found.scores["learned"]["spearman"] > found.scores["client mean"]["spearman"] + 0.4
    assert abs(found.scores["prompt length"]["spearman"]) < 0.1
    assert found.scores["learned"]["bit_accuracy"] > 0.85
    assert found.scores["learned"]["coverage"] == pytest.approx(0.8, abs=0.06)
    assert sum(found.confusion["short"].values()) + sum(found.confusion["long"].values()) == pytest.approx(1)
    assert [found.calibration[f"{q:.1f}"] for q in (0.2, 0.5, 0.8)] == pytest.approx([0.2, 0.5, 0.8], abs=0.07)


def test_forecasts_are_in_order_and_in_range(model: Model) -> None:
    seen = forecast(model, features(log(300, seed=2)))
    assert np.all((seen.lower >= 1) & (seen.lower <= seen.median) & (seen.median <= seen.upper))
    assert np.all((seen.long >= 0) & (seen.long <= 1))


def test_training_repeats(model: Model) -> None:
    again = train(log(), theta=256, coverage=0.8, seed=0)
    test = features(log(200, seed=3))
    for one, other in zip(forecast(model, test), forecast(again, test), strict=True):
        assert np.array_equal(one, other)


def test_the_file_keeps_every_prediction(model: Model, tmp_path: Path) -> None:
    save(model, tmp_path / "m.plim")
    test = features(log(200, seed=4))
    for one, other in zip(forecast(model, test), forecast(load(tmp_path / "m.plim"), test), strict=True):
        assert np.array_equal(one, other)
    assert [file.name for file in tmp_path.iterdir()] == ["m.plim"]


def test_a_file_that_is_not_as_it_was_written(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "m.plim"
    save(model, file)
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"theta": 256.0', b'"theta": 128.0'))
    with pytest.raises(InputError, match=r"m\.plim: changed since it was written \(its sha256"):
        load(file)
    file.write_bytes(content[:-9])
    with pytest.raises(InputError, match="changed since it was written"):
        load(file)
    file.write_bytes(b"\x80\x04pickle")
    with pytest.raises(InputError, match=r"m\.plim: not a plimsoll predictor; train it again"):
        load(file)
    with pytest.raises(InputError, match=r"nowhere\.plim: cannot be read"):
        load(tmp_path / "nowhere.plim")


def test_a_file_of_another_version(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plimsoll.predict.model.VERSION", 99)
    save(model, tmp_path / "new.plim")
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"new\.plim: made by another version: version 99, not 1; train it again"):
        load(tmp_path / "new.plim")
    monkeypatch.setattr("plimsoll.predict.model.NAMES", ("something",))
    save(model, tmp_path / "other.plim")
    monkeypatch.undo()
    with pytest.raises(InputError, match="made by another version: other features"):
        load(tmp_path / "other.plim")


def test_the_file_is_plain_data(model: Model, tmp_path: Path) -> None:
    save(model, tmp_path / "m.plim")
    content = (tmp_path / "m.plim").read_bytes()
    assert content.startswith(MAGIC.encode() + b"\n")
    assert b"pickle" not in content
    assert b"sklearn" not in content


def test_learned_predicts_any_trace(model: Model, tmp_path: Path) -> None:
    save(model, tmp_path / "m.plim")
    prompts = np.array(["", "x" * 4_000_000, "Write a yes about it"], dtype=object)
    trace = Trace(np.zeros(3), np.array([0, 1_000_000, 5]), np.ones(3), more={"prompt_text": prompts})
    for predictor in (Learned(str(tmp_path / "m.plim")), Learned(str(tmp_path / "m.plim"), bit=True)):
        belief = predictor.plan(trace, np.random.default_rng(0))
        assert belief.predicted.shape == (3,)
        assert belief.predicted.min() >= 1
        assert belief.kind.max() < len(belief.survival)
    bare = Trace.of([(0, 5, 3), (1, 9, 2)])
    assert Learned(str(tmp_path / "m.plim")).plan(bare, np.random.default_rng(0)).predicted.min() >= 1


def test_the_truth_does_not_leak_into_predictions(model: Model, tmp_path: Path) -> None:
    save(model, tmp_path / "m.plim")
    trace = log(100, seed=5)
    shuffled = replace(trace, output=np.random.default_rng(0).permutation(trace.output))
    one, other = (Learned(str(tmp_path / "m.plim")).plan(t, np.random.default_rng(0)) for t in (trace, shuffled))
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)


def test_equal_prompts_stay_together() -> None:
    prompts = np.array(["a", "b", "a", "c"] * 60, dtype=object)
    trace = Trace(np.zeros(240), np.ones(240), np.ones(240), more={"prompt_text": prompts})
    block = prompt_blocks(trace)
    assert block[:4].tolist() == [0, 1, 0, 2]
    held = held_out(block, 0.34, seed=0)
    assert len(set(prompts[held]) & set(prompts[~held])) == 0
    assert 0 < held.sum() < 240


def test_without_prompts_or_with_one_length_it_still_trains() -> None:
    rng = np.random.default_rng(0)
    bare = Trace(np.zeros(300), rng.integers(1, 500, 300), rng.integers(1, 200, 300))
    assert train(bare, theta=1000).bit.base[0] < 0  # no output is that long
    same = replace(bare, output=np.full(300, 7))
    seen = forecast(train(same), features(same))
    assert np.all(np.rint(seen.median) == 7)


def test_bounds_cover_what_they_say_on_average_and_for_each_group(model: Model) -> None:
    trace = log(2400, seed=6)  # of which the model has seen nothing; it is calibrated again and again
    of, y, rng = features(trace), np.log(trace.output), np.random.default_rng(0)
    wordy = np.array(of.group) == "wordy"
    covered: list[list[float]] = []
    for _ in range(40):
        deal = rng.permutation(len(trace))
        again = calibrated(model, rows(of, deal[:400]), y[deal[:400]])
        test = deal[400:]
        seen = forecast(again, rows(of, test))
        inside = (seen.lower <= trace.output[test]) & (trace.output[test] <= seen.upper)
        covered.append([inside.mean(), inside[wordy[test]].mean(), inside[~wordy[test]].mean()])
    assert np.mean(covered, axis=0) == pytest.approx([0.8, 0.8, 0.8], abs=0.02)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"theta": -1.0}, "theta must be at least 0"),
        ({"coverage": 1.0}, "coverage must be in"),
    ],
)
def test_bad_parameters(options: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train(log(300), **options)


def test_too_few_requests() -> None:
    with pytest.raises(InputError, match="made-up: 199 requests are too few to learn from; 200 are needed"):
        train(log(199))
    with pytest.raises(InputError, match="199 requests are too few"):
        evaluate_splits(log(199))


@pytest.fixture(scope="module")
def arena(shared: Path) -> Trace:
    from plimsoll import source

    return source.read_trace(shared / "traces" / "text_arena_hard_lengths.parquet", drop_empty=True)


@pytest.mark.shared
def test_arena_hard_margin_over_prompt_length(arena: Trace) -> None:
    found = evaluate_splits(arena, splits=2).scores
    assert found["learned"]["spearman"] > found["prompt length"]["spearman"] + 0.4
    assert found["learned"]["spearman"] > found["client mean"]["spearman"] + 0.04
    assert found["online"]["spearman"] > found["learned"]["spearman"] - 0.1


@pytest.mark.shared
def test_arena_hard_coverage_over_twenty_splits(arena: Trace) -> None:
    of, y, block = features(arena), np.log(arena.output), prompt_blocks(arena)
    known = held_out(block, 0.5, seed=0)  # half of the prompts train, the others are dealt out twenty times
    base, rest = np.flatnonzero(known), np.flatnonzero(~known)
    inner = np.unique(block[base], return_inverse=True)[1]
    trained = fit(rows(of, base), y[base], inner, held_out(inner, 0.1, 0), 256, 0.8, 0)
    covered: list[float] = []
    for split in range(20):
        for_margins = held_out(np.unique(block[rest], return_inverse=True)[1], 0.5, split)
        calibration, test = rest[for_margins], rest[~for_margins]
        seen = forecast(calibrated(trained, rows(of, calibration), y[calibration]), rows(of, test))
        covered.append(float(np.mean((seen.lower <= arena.output[test]) & (arena.output[test] <= seen.upper))))
    assert 0.78 < np.mean(covered) < 0.82
