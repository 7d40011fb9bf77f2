"""The real vLLM on a CPU with a tiny model of random weights: what policies change, and what they must not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vllm", reason="the environment of the real engines is absent (tests/engine/setup)")

from . import real
from .burst import Burst
from .lockstep import behind_proxy

pytestmark = pytest.mark.engine

STEADY = {"share": 1.0}  # of the time for decisions: the model is so small that any decision is a large part of a step


@pytest.fixture(scope="module")
def asked(weights: Path) -> real.Asked:
    """The burst of 60; no answer's length shows in its request."""
    return real.natural(weights, Burst.of(0))


@pytest.fixture(scope="module")
def stock(asked: real.Asked, weights: Path) -> real.Outcome:
    with real.running(weights) as llm:
        return real.serve(llm, asked)


@pytest.fixture(scope="module")
def watermark(asked: real.Asked, weights: Path) -> real.Outcome:
    with real.running(weights, watermark=0.02) as llm:
        return real.serve(llm, asked)


def test_the_answers_wander(stock: real.Outcome) -> None:
    """Otherwise equal answers would prove little."""
    assert np.mean([len(set(tokens)) / len(tokens) for tokens in stock.tokens]) > 0.5


def test_vllms_own_watermark_does_not_help_a_burst(stock: real.Outcome, watermark: real.Outcome) -> None:
    assert watermark.tokens == stock.tokens
    assert 0 < watermark.preemptions <= stock.preemptions
    assert watermark.finish.mean() > 0.9 * stock.finish.mean()


def test_known_lengths(asked: real.Asked, stock: real.Outcome, watermark: real.Outcome, weights: Path) -> None:
    with real.running(weights, {"policy": "svf", **STEADY}) as llm:
        served = real.serve(llm, asked, hints=True)
        assert real.scheduler(llm).pilot.active
    assert stock.preemptions > 10
    assert served.preemptions == 0
    assert served.finish.mean() <= 0.6 * min(stock.finish.mean(), watermark.finish.mean())
    assert served.tokens == stock.tokens


def test_a_workload_is_learned(asked: real.Asked, stock: real.Outcome, weights: Path) -> None:
    """The default; knowing nothing at first, it is no worse than stock even then."""
    with real.running(weights, dict(STEADY)) as llm:
        first, learned = [real.serve(llm, asked) for _ in range(2)]
        assert real.scheduler(llm).pilot.active
    assert first.tokens == learned.tokens == stock.tokens
    assert first.finish.mean() <= stock.finish.mean()
    assert learned.finish.mean() <= 0.8 * stock.finish.mean()


def test_smallest_volume_first_learns_too(asked: real.Asked, stock: real.Outcome, weights: Path) -> None:
    """It takes predictions at their word, so on the first pass it needs a limit to each answer."""
    with real.running(weights, {"policy": "svf", "predictor": "online", **STEADY}) as llm:
        first = real.serve(llm, asked._replace(limit=asked.output))
        learned = real.serve(llm, asked)
        assert real.scheduler(llm).pilot.active
    assert first.tokens == learned.tokens == stock.tokens
    assert first.finish.mean() <= stock.finish.mean()
    assert learned.finish.mean() <= 0.8 * stock.finish.mean()


def test_the_law_does_no_harm(asked: real.Asked, stock: real.Outcome, weights: Path) -> None:
    """It gains little here: prompt lengths tell nothing, and the clock, which load-line measures, moves it a little."""
    with real.running(weights, {"predictor": "law", **STEADY}) as llm:
        passes = [real.serve(llm, asked) for _ in range(2)]
    assert passes[0].finish.mean() <= stock.finish.mean()
    assert passes[1].finish.mean() <= 1.03 * stock.finish.mean()


def test_the_proxy_beside_the_plug_in(asked: real.Asked, stock: real.Outcome, weights: Path) -> None:
    """The same bursts, one after another: both learn, the proxy the law of lengths, the plug-in what prompts say."""
    bursts = [asked, asked, real.natural(weights, Burst.of(1))]
    with real.running(weights, scheduling_policy="priority", watermark=0.02) as llm, behind_proxy(llm) as serve:
        passed = [serve(burst) for burst in bursts]
    with real.running(weights, dict(STEADY)) as llm:
        steered = [real.serve(llm, burst) for burst in bursts]
    assert [before.tokens for before in passed] == [inside.tokens for inside in steered]
    assert passed[0].tokens == stock.tokens
    assert max(before.finish.mean() for before in passed[:2]) <= stock.finish.mean()
    assert steered[1].finish.mean() < passed[1].finish.mean()


def test_priority_is_volume_without_a_plug_in(asked: real.Asked, stock: real.Outcome, weights: Path) -> None:
    """The recipe of the proxy, were lengths known: stock vLLM, priority and a small watermark."""
    prompt = np.array([len(ids) for ids in asked.prompts])
    volume = prompt * asked.output + asked.output * (asked.output + 1) // 2
    with real.running(weights, scheduling_policy="priority", watermark=0.02) as llm:
        served = real.serve(llm, asked, priorities=volume.tolist())
    assert served.tokens == stock.tokens
    assert served.finish.mean() <= 0.65 * stock.finish.mean()


def test_aborts_leave_nothing_behind(asked: real.Asked, weights: Path) -> None:
    with real.running(weights, dict(STEADY)) as llm:
        engine, scheduler = llm.llm_engine, real.scheduler(llm)
        names = real.ask(llm, asked)
        for _ in range(40):
            engine.step()
        gone = names[::2]
        engine.abort_request(gone, internal=True)
        done = set()
        while engine.has_unfinished_requests():
            done |= {output.request_id for output in engine.step() if output.finished}
        assert len(done) <= 60 - 1
        engine.step()
        assert not scheduler.requests
        assert not scheduler.pilot._seats
        assert scheduler.pilot.desk.k == 0
        assert scheduler.kv_cache_manager.block_pool.get_num_free_blocks() == real.BLOCKS


def test_metrics_are_where_vllms_are(asked: real.Asked, weights: Path) -> None:
    from prometheus_client import REGISTRY

    def value(name: str) -> float:
        return REGISTRY.get_sample_value(name) or 0.0

    before = value("plimsoll:admitted_total"), value("plimsoll:decision_seconds_count")
    with real.running(weights, dict(STEADY)) as llm:
        real.serve(llm, real.Asked(*(column[:10] for column in asked)))
    assert value("plimsoll:admitted_total") - before[0] >= 10
    assert value("plimsoll:decision_seconds_count") - before[1] > 10
    assert value("plimsoll:output_ratio_count") >= 10
