"""Predictors that learn: from the past alone, soon, after a drift, the same compiled or not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plimsoll import Trace, rounds, simulate
from plimsoll.errors import InputError
from plimsoll.policy.law import scale
from plimsoll.policy.protocol import ask, parameters
from plimsoll.policy.view import REQUEST, RUNNING, History, records
from plimsoll.predict import Law, Online
from plimsoll.predict.law import SCALE
from plimsoll.predict.replay import fresh, load_state, replay, save_state
from plimsoll.predict.survival import GRID, alive

from .prompts import log
from .test_classes import spearman

LEARNERS = [Online(), Law(), Law(clients=2, buckets=3)]


def timed(n: int = 400, seed: int = 0) -> Trace:
    """The made-up log at a pace that keeps a cache of 6,000 tokens busy."""
    trace = log(n, seed)
    client = (trace.more["model"] == "wordy").astype(np.int64)
    return replace(trace, arrival=np.floor(np.arange(n) * 60.0), client=client)


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_future_does_not_leak(learner: object) -> None:
    trace = timed()
    later = np.flatnonzero(trace.arrival > trace.arrival[250])
    output = trace.output.copy()
    output[later] = np.random.default_rng(1).permutation(output[later]) + 17
    host = rounds(capacity=6000, rounds_per_s=1)
    one, other = (simulate(t, "fcfs", host, learner) for t in (trace, replace(trace, output=output)))
    early = np.flatnonzero((one.finish <= trace.arrival[250]) & (one.evictions == 0))
    assert len(early) > 100
    assert np.array_equal(one.predicted[early], other.predicted[early])
    assert np.array_equal(one.finish[early], other.finish[early])
    assert len(np.unique(one.predicted[early])) > 50  # it did learn
    assert not np.array_equal(one.predicted[later], other.predicted[later])


def test_a_prediction_uses_nothing_but_finished_requests() -> None:
    trace = timed(60)
    changed = replace(trace, output=np.where(np.arange(60) < 59, trace.output, trace.output + 1000))
    for learner in LEARNERS:
        one, _ = replay(learner, trace, np.arange(60))
        other, _ = replay(learner, changed, np.arange(60))
        assert np.array_equal(one["predicted"], other["predicted"])  # its own output is not looked at


@pytest.mark.parametrize("learner", LEARNERS)
def test_compiled_and_plain_agree(learner: object) -> None:
    trace = timed(60)
    host = rounds(capacity=6000, rounds_per_s=1)
    fast, slow = (simulate(trace, "svf", host, learner, compiled=c) for c in (True, False))
    assert fast.predicted == pytest.approx(slow.predicted, rel=1e-12)
    assert np.array_equal(fast.finish, slow.finish)


def test_it_learns_words_and_clients_soon() -> None:
    trace = log(2000)
    seen, _ = replay(Online(), trace, np.arange(2000))
    late = slice(1000, 2000)
    assert spearman(seen["predicted"][late], trace.output[late]) > 0.85
    inside = (seen["lower"] <= trace.output) & (trace.output <= seen["upper"])
    assert inside[late].mean() == pytest.approx(0.8, abs=0.06)


def test_it_follows_a_drift() -> None:
    before, after = log(1500, 1), log(2000, 2)
    drifted = np.concatenate([before.output, 4 * after.output])
    more = {name: np.concatenate([before.more[name], after.more[name]]) for name in before.more}
    trace = Trace(np.zeros(3500), np.concatenate([before.prompt, after.prompt]), drifted, more=more)
    seen, _ = replay(Online(half_life=300), trace, np.arange(3500))
    error = np.log(seen["predicted"] / drifted)
    assert np.median(error[1500:1600]) < -0.8  # still expects the old lengths
    assert abs(np.median(error[2500:])) < 0.15
    inside = (seen["lower"] <= drifted) & (drifted <= seen["upper"])
    assert inside[2500:].mean() == pytest.approx(0.8, abs=0.07)


def test_any_prompt_gets_a_prediction() -> None:
    prompts = np.array(["", "x" * 4_000_000, "word " * 1_000_000], dtype=object)
    trace = Trace(
        np.zeros(3), np.array([0, 1_000_000, 1_000_000]), np.array([1, 2**31 - 1, 5]), more={"prompt_text": prompts}
    )
    for learner in LEARNERS:
        seen, _ = replay(learner, trace, np.array([0, 1, 2, 0, 1, 2]))
        assert np.all(np.isfinite(seen["predicted"]))
        assert np.all((seen["lower"] >= 1) & (seen["lower"] <= seen["upper"]))


def test_the_law_is_that_of_the_outputs() -> None:
    rng = np.random.default_rng(0)
    output = np.maximum(1, rng.lognormal(5, 1, 5000)).astype(np.int64)
    trace = Trace(np.zeros(5000), np.ones(5000), output)
    _, state = replay(Law(half_life=1e9), trace, np.arange(5000))
    for tokens in (20, 100, 400, 2000):
        assert alive(state.survival[-1], tokens / SCALE) == pytest.approx(np.mean(output > tokens), abs=0.02)


def test_the_law_predicts_the_mean_of_its_kind() -> None:
    output = np.where(np.arange(2000) % 2 == 0, 100, 400)
    prompt = np.where(np.arange(2000) % 2 == 0, 10, 1000)
    seen, state = replay(Law(buckets=6), Trace(np.zeros(2000), prompt, output), np.arange(2000))
    assert len(state.survival) == 7
    assert seen["predicted"][-2:] == pytest.approx([100, 400], rel=0.1)
    assert seen["scale"][-1] == SCALE
    one, _ = replay(Law(), Trace(np.zeros(2000), prompt, output), np.arange(2000))
    assert one["predicted"][-2:] == pytest.approx([250, 250], rel=0.1)


def test_running_requests_count_as_longer_than_they_are() -> None:
    # short requests finish while long ones still run: without censoring the law would know the short ones only
    rows = [(0.0, 1, 10 + i // 4 if i % 2 else 2000) for i in range(200)] + [(100.0, 1, 5)]
    result = simulate(Trace.of(rows), "fcfs", rounds(capacity=10**6, rounds_per_s=1), Law())
    assert result.predicted[-1] > 150
    seen, _ = replay(Law(), Trace.of(rows), np.array([*range(1, 200, 2), 200]))
    assert seen["predicted"][-1] < 60


def test_an_eviction_does_not_shift_the_law() -> None:
    assert scale(512.0, 900.0) == 512.0
    assert scale(0.0, 900.0) == 900.0


def test_what_was_learned_is_kept_in_a_file(tmp_path: Path) -> None:
    trace = log(600)
    whole, _ = replay(Online(), trace, np.arange(600))
    _, half = replay(Online(), trace, np.arange(300))
    save_state(tmp_path / "s.plim", Online(), half)
    rest, _ = replay(Online(), trace, np.arange(300, 600), state=load_state(tmp_path / "s.plim", Online()))
    assert np.array_equal(rest["predicted"][300:], whole["predicted"][300:])
    with pytest.raises(InputError, match=r"s\.plim: made by another version: predictor Online.*start afresh"):
        load_state(tmp_path / "s.plim", Online(half_life=50))
    (tmp_path / "x").write_text("hello")
    with pytest.raises(InputError, match="not a plimsoll predictor state"):
        load_state(tmp_path / "x", Online())


@pytest.mark.parametrize(
    ("learner", "said"),
    [
        (Online(half_life=1), "predictor online: half_life must be at least 10"),
        (Online(coverage=2), "coverage must be in"),
        (Law(half_life=0), "predictor law: half_life must be at least 1"),
        (Law(clients=0), "clients must be in"),
        (Law(buckets=17), "buckets must be in"),
    ],
)
def test_bad_parameters(learner: Law | Online, said: str) -> None:
    with pytest.raises(InputError, match=said):
        learner.plan(log(5), np.random.default_rng(0))


def test_a_request_that_it_was_not_asked_about_does_not_bend_the_law() -> None:
    predictor, trace = Online(), log(3)
    state = fresh(predictor)
    before = state.survival.copy()
    requests = records(3, REQUEST)
    history = History(0.0, 0, requests, records(0, RUNNING), state.survival, predictor.columns(trace), state.memory)
    ask(predictor, "learn")(history, parameters(predictor), 0, 100_000)
    assert np.array_equal(state.survival, before)
    ask(predictor, "predict")(history, parameters(predictor), 1)
    assert requests["predicted"][1] > 400  # but it learned the length


def test_curves_never_rise() -> None:
    for learner in LEARNERS:
        _, state = replay(learner, timed(300), np.arange(300))
        assert np.all(np.diff(state.survival, axis=1) <= 1e-12)
        assert state.survival[:, 0] == pytest.approx(1.0)
        assert state.survival.shape[1] == len(GRID)


@pytest.mark.shared
def test_online_is_near_offline_on_arena_hard(shared: Path) -> None:
    from plimsoll import source

    trace = source.read_trace(shared / "traces" / "text_arena_hard_lengths.parquet", drop_empty=True)
    block = np.unique(trace.more["prompt_text"].astype(str), return_inverse=True)[1]
    rng = np.random.default_rng(0)
    test = np.isin(block, rng.permutation(block.max() + 1)[: block.max() // 5])
    known = rng.permutation(np.flatnonzero(~test))[:5000]
    _, state = replay(Online(), trace, known)
    seen, _ = replay(Online(), trace, np.flatnonzero(test), learns=False, state=state)
    assert spearman(seen["predicted"][test], trace.output[test]) > 0.5
