"""The real vLLM on a CPU with a tiny model of random weights: what policies change, and what they must not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm", reason="the environment of the real engines is absent (tests/engine/setup)")

from . import real
from .burst import Burst

pytestmark = pytest.mark.engine

BURST = Burst.of(0)


@contextmanager
def running(folder: Path, plimsoll: dict[str, Any] | None = None, **options: Any) -> Iterator[Any]:
    llm = real.engine(folder, plimsoll, **options)
    try:
        yield llm
    finally:
        real.close(llm)


@pytest.fixture(scope="module")
def stock(weights: Path) -> real.Outcome:
    with running(weights) as llm:
        return real.serve(llm, BURST)


def test_the_answers_wander(stock: real.Outcome) -> None:
    """Otherwise equal answers would prove little."""
    assert np.mean([len(set(tokens)) / len(tokens) for tokens in stock.tokens]) > 0.5


def test_vllms_own_watermark_does_not_help_a_burst(stock: real.Outcome, weights: Path) -> None:
    with running(weights, watermark=0.02) as llm:
        kept = real.serve(llm, BURST)
    assert kept.tokens == stock.tokens
    assert 0 < kept.preemptions <= stock.preemptions
    assert kept.finish.mean() > 0.9 * stock.finish.mean()


def test_known_lengths(stock: real.Outcome, weights: Path) -> None:
    with running(weights, {"policy": "svf", "predictor": "max_tokens"}) as llm:
        served = real.serve(llm, BURST, hints=True)
        assert real.scheduler(llm).pilot.active
    assert stock.preemptions > 10
    assert served.preemptions == 0
    assert served.finish.mean() <= 0.6 * stock.finish.mean()
    assert served.tokens == stock.tokens


def test_the_default_does_no_harm(stock: real.Outcome, weights: Path) -> None:
    """Nothing is known at first, and here prompts say nothing about lengths: no worse than stock, then as now."""
    with running(weights, {"share": 1.0}) as llm:
        first = real.serve(llm, BURST)
        second = real.serve(llm, BURST)
        assert real.scheduler(llm).pilot.active
    assert first.tokens == stock.tokens
    assert second.tokens == stock.tokens
    assert first.finish.mean() <= stock.finish.mean()
    assert second.finish.mean() <= stock.finish.mean()


@pytest.mark.parametrize("policy", ["load-line", "svf"])
def test_a_workload_is_learned(policy: str, stock: real.Outcome, weights: Path) -> None:
    """The predictor ``online`` looks at the prompts; knowing nothing at first, it is no worse than stock even then."""
    with running(weights, {"policy": policy, "predictor": "online", "share": 1.0}) as llm:
        first, learned = [real.serve(llm, BURST) for _ in range(2)]
        assert real.scheduler(llm).pilot.active
    assert learned.tokens == stock.tokens
    assert first.finish.mean() <= stock.finish.mean()
    assert learned.finish.mean() <= 0.8 * stock.finish.mean()


def test_priority_is_volume_without_a_plug_in(stock: real.Outcome, weights: Path) -> None:
    """The recipe of the proxy: stock vLLM, priority and a small watermark."""
    volume = BURST.prompt * BURST.output + BURST.output * (BURST.output + 1) // 2
    with running(weights, scheduling_policy="priority", watermark=0.02) as llm:
        served = real.serve(llm, BURST, priorities=volume.tolist())
    assert served.tokens == stock.tokens
    assert served.finish.mean() <= 0.65 * stock.finish.mean()


def test_aborts_leave_nothing_behind(weights: Path) -> None:
    with running(weights, {"policy": "svf", "predictor": "law", "share": 1.0}) as llm:
        engine, scheduler = llm.llm_engine, real.scheduler(llm)
        names = real.ask(llm, BURST)
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


def test_metrics_are_where_vllms_are(weights: Path) -> None:
    from prometheus_client import REGISTRY

    def value(name: str) -> float:
        return REGISTRY.get_sample_value(name) or 0.0

    before = value("plimsoll:admitted_total"), value("plimsoll:decision_seconds_count")
    with running(weights, {"policy": "svf", "predictor": "law", "share": 1.0}) as llm:
        real.serve(llm, Burst.of(2, n=10))
    assert value("plimsoll:admitted_total") - before[0] >= 10
    assert value("plimsoll:decision_seconds_count") - before[1] > 10
    assert value("plimsoll:output_ratio_count") >= 10
