"""The real vLLM scheduler and block manager, steered by our policies, on fake model outputs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm", reason="the environment of the real engines is absent (tests/engine/setup)")

import vllm
from vllm.v1.core.sched.async_scheduler import AsyncScheduler as StockAsync
from vllm.v1.request import RequestStatus

import plimsoll.engine.vllm as ours
from plimsoll import Trace, simulate
from plimsoll.engine.vllm import AsyncScheduler, Scheduler
from plimsoll.host.serving import Serving
from plimsoll.steptime import unit

from . import fake
from .burst import Burst, serve

pytestmark = pytest.mark.engine

BAD = Path(__file__).with_name("bad.py")
FUZZ_STEPS = int(os.environ.get("PLIMSOLL_FUZZ_STEPS", "100000"))


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What plimsoll logs, whatever level vLLM's own logging is at."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("vllm.plimsoll")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    yield lines
    logger.removeHandler(handler)


def settings(policy: str, **more: Any) -> dict[str, Any]:
    """A share of 1: without a model the steps are so short that any decision is a large part of them."""
    return {"plimsoll": {"policy": policy, "predictor": "max_tokens", "share": 1.0, **more}}


def at_rest(scheduler: Any, blocks: int) -> None:
    """Nothing is left behind: all blocks free, no seat at the desk."""
    assert fake.free_blocks(scheduler) == blocks
    assert scheduler.pilot.active
    assert scheduler.pilot.desk.k == 0
    assert not scheduler.pilot._seats
    assert len(scheduler.waiting) == 0


@pytest.mark.parametrize("seed", range(3))
def test_fcfs_is_vllms_own(shape: str, seed: int) -> None:
    burst = Burst.of(seed)
    stock = serve(fake.scheduler(shape, 126), burst)
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings("fcfs"))
    served = serve(scheduler, burst)
    assert stock.preemptions > 0
    assert served.preemptions == stock.preemptions
    assert served.finish.tolist() == stock.finish.tolist()
    assert served.order == stock.order
    at_rest(scheduler, 126)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("policy", ["fcfs", "svf", "svf:engine=1", "mc-sf", "load-line"])
def test_the_simulator_foresees_every_step(shape: str, policy: str, seed: int) -> None:
    """Order, finishes and preemptions of the serving host, given the same burst, are those of the real scheduler."""
    burst = Burst.of(seed)
    served = serve(fake.scheduler(shape, 126, Scheduler, additional=settings(policy)), burst, burst.output)
    trace = Trace(np.zeros(60), burst.prompt.astype(np.int64), burst.output.astype(np.int64))
    host = Serving(steptime=unit(), blocks=126, block_size=fake.BLOCK, max_num_seqs=64, max_num_batched_tokens=2048)
    foreseen = simulate(trace, policy, host, "exact")
    assert foreseen.finish.tolist() == served.finish.tolist()
    assert foreseen.evictions.sum() == served.preemptions


def test_smallest_volume_first_with_the_peak_test(shape: str) -> None:
    burst = Burst.of(0)
    stock = serve(fake.scheduler(shape, 126), burst)
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings("svf"))
    served = serve(scheduler, burst)
    assert served.preemptions == 0
    assert served.finish.mean() <= 0.6 * stock.finish.mean()
    at_rest(scheduler, 126)


def test_order_is_the_policys(shape: str) -> None:
    burst = Burst.of(1, n=12)
    scheduler = fake.scheduler(shape, 400, Scheduler, max_num_seqs=1, additional=settings("svf"))
    served = serve(scheduler, burst)
    volume = burst.prompt * burst.output + burst.output * (burst.output + 1) / 2
    assert served.order == np.argsort(volume, kind="stable").tolist()


def test_victims_are_the_policys(shape: str) -> None:
    # three requests of two blocks each fill six of six blocks; the first, of the largest volume, must go, not the last
    scheduler = fake.scheduler(shape, 6, Scheduler, additional=settings("svf:engine=1"))
    lengths = [(31, 60), (31, 40), (31, 20)]
    requests = [fake.request(i, prompt, output, float(i)) for i, (prompt, output) in enumerate(lengths)]
    for request in requests:
        scheduler.add_request(request)
    while not any(request.num_preemptions for request in requests):
        fake.step(scheduler)
    assert [request.num_preemptions for request in requests] == [1, 0, 0]


def test_hints_are_heard(shape: str) -> None:
    burst = Burst.of(2, n=8)
    scheduler = fake.scheduler(shape, 400, Scheduler, max_num_seqs=1, additional=settings("sjf"))
    hints = np.array([5, 3, 8, 1, 7, 2, 6, 4])
    assert serve(scheduler, burst, hints).order == np.argsort(hints).tolist()


def test_nonsense_in_hints_is_passed_over(shape: str) -> None:
    scheduler = fake.scheduler(shape, 100, Scheduler, additional=settings("svf"))
    for i, value in enumerate(["many", float("nan"), -3, None, [4], 1e300]):
        scheduler.add_request(fake.request(i, 10, 5, predicted_output_tokens=value))
    while scheduler.has_unfinished_requests():
        fake.step(scheduler)
    at_rest(scheduler, 100)


@pytest.mark.parametrize("bad", ["Raises", "Muddled", "Rude"])
def test_a_policy_that_fails_gives_way_to_stock_order(shape: str, bad: str, told: list[str]) -> None:
    burst = Burst.of(0)
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings(f"{BAD}:{bad}"))
    serve(scheduler, burst)
    assert not scheduler.pilot.active
    assert fake.free_blocks(scheduler) == 126
    assert sum("gives way to stock order" in line for line in told) == 1


def test_a_predictor_that_fails_gives_way_to_stock_order(shape: str, told: list[str]) -> None:
    options = settings("svf", predictor=f"{BAD}:Forgets")
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=options)
    serve(scheduler, Burst.of(0))
    assert not scheduler.pilot.active
    assert fake.free_blocks(scheduler) == 126
    assert sum("gives way to stock order" in line for line in told) == 1


def test_a_policy_that_fails_at_once_is_not_let_in(shape: str, told: list[str]) -> None:
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings(f"{BAD}:Hopeless"))
    assert scheduler.pilot is None
    assert "gives way to stock order" in told[0]
    serve(scheduler, Burst.of(0))


def test_after_giving_way_the_order_is_first_come_first_served(shape: str) -> None:
    burst = Burst.of(0)
    stock = serve(fake.scheduler(shape, 126), burst)
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings("svf"))
    scheduler.pilot.give_up(RuntimeError("test"))
    served = serve(scheduler, burst)
    assert served.finish.tolist() == stock.finish.tolist()


def test_a_policy_that_is_too_slow_gives_way(shape: str, monkeypatch: Any, told: list[str]) -> None:
    monkeypatch.setattr("plimsoll.engine.pilot._WINDOW_S", 0.1)
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings(f"{BAD}:Slow", share=0.1))
    serve(scheduler, Burst.of(0))
    assert not scheduler.pilot.active
    assert fake.free_blocks(scheduler) == 126
    assert sum("of the time, more than 10%" in line for line in told) == 1


def test_a_policy_that_refuses_everybody_gets_nobody_stuck(shape: str) -> None:
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings(f"{BAD}:Refuses"))
    served = serve(scheduler, Burst.of(3, n=6))
    assert served.preemptions == 0
    at_rest(scheduler, 126)


def test_an_unknown_version_is_left_alone(shape: str, monkeypatch: Any, told: list[str]) -> None:
    monkeypatch.setattr(vllm, "__version__", "0.99.0")
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings("svf"))
    assert scheduler.pilot is None
    assert "stays out" in told[0]
    serve(scheduler, Burst.of(0))


def test_a_missing_name_is_noticed(shape: str, monkeypatch: Any, told: list[str]) -> None:
    monkeypatch.setattr(ours, "_NEEDED", ("waiting", "gone_with_the_next_release"))
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=settings("svf"))
    assert scheduler.pilot is None
    assert "gone_with_the_next_release" in told[0]


def test_stock_switches_it_off(shape: str) -> None:
    assert fake.scheduler(shape, 126, Scheduler, additional=settings("stock")).pilot is None


def test_async_scheduling(shape: str) -> None:
    burst = Burst.of(0)
    preemptions = {}
    for kind, additional in ((StockAsync, None), (AsyncScheduler, settings("svf"))):
        scheduler = fake.scheduler(shape, 126, kind, additional=additional)
        requests = [fake.request(i, int(s), int(o)) for i, (s, o) in enumerate(zip(*burst, strict=True))]
        for request in requests:
            scheduler.add_request(request)
        pipeline = fake.Pipeline(scheduler)
        for _ in range(50_000):
            if not scheduler.has_unfinished_requests():
                break
            pipeline.step()
        assert [request.num_output_tokens for request in requests] == burst.output.tolist()
        preemptions[kind] = sum(request.num_preemptions for request in requests)
    at_rest(scheduler, 126)
    assert preemptions[StockAsync] > 0
    assert preemptions[AsyncScheduler] == 0


def test_why(shape: str, tmp_path: Any) -> None:
    log, explain = tmp_path / "log", tmp_path / "explain"
    options = settings("svf:engine=1", log=str(log), explain=str(explain))
    scheduler = fake.scheduler(shape, 126, Scheduler, additional=options)
    served = serve(scheduler, Burst.of(0))
    assert served.preemptions > 0
    assert explain.read_text().count('"preempted"') == served.preemptions
    assert log.read_text().count("\n") == 60
    told = [entry for entry in scheduler.pilot.journal.recent if entry["event"] == "held"]
    assert scheduler.pilot.journal.why(told[0]["request"])


def test_preemptions_avoided(shape: str) -> None:
    """Known lengths and no preemption: most of those that stock makes were avoided by holding."""
    from prometheus_client import REGISTRY

    def avoided() -> float:
        return REGISTRY.get_sample_value("plimsoll:avoided_total") or 0.0

    burst = Burst.of(0)
    stock = serve(fake.scheduler(shape, 126), burst)
    before = avoided()
    served = serve(fake.scheduler(shape, 126, Scheduler, additional=settings("mc-benchmark")), burst, burst.output)
    assert served.preemptions == 0
    assert avoided() - before > 0.2 * stock.preemptions


ARMS = {
    "load-line": "online",
    "svf": "max_tokens",
    "svf:engine=1": "max_tokens",
    "fcfs": "max_tokens",
    "mc-sf": "law",
}


@pytest.mark.parametrize("policy", ARMS)
def test_fuzz(shape: str, policy: str) -> None:
    """Arrivals, finishes, aborts and preemptions at random; the desk always knows who runs and what they hold."""
    rng = np.random.default_rng(list(ARMS).index(policy))
    blocks = 60
    options = settings(policy, predictor=ARMS[policy])
    scheduler = fake.scheduler(shape, blocks, Scheduler, budget=128, additional=options)
    desk, pilot = scheduler.pilot.desk, scheduler.pilot
    lengths: dict[str, int] = {}
    arrived = finished = aborted = preempted = 0
    for step in range(FUZZ_STEPS // len(ARMS)):
        for _ in range(rng.poisson(0.12 if step % 2000 < 1500 else 0.0)):
            output = int(min(rng.lognormal(3, 1) + 1, 200))
            hint = {"predicted_output_tokens": float(rng.lognormal(3, 1))} if rng.random() < 0.3 else {}
            request = fake.request(arrived, int(rng.integers(1, 400)), output, float(step), **hint)
            lengths[request.request_id] = output
            scheduler.add_request(request)
            arrived += 1
        if lengths and rng.random() < 0.01:
            name = str(rng.choice(list(lengths)))
            scheduler.finish_requests(name, RequestStatus.FINISHED_ABORTED)
            del lengths[name]
            aborted += 1
        before = dict(scheduler.requests)
        counts = {name: request.num_preemptions for name, request in before.items()}
        fake.step(scheduler)
        preempted += sum(request.num_preemptions - counts[name] for name, request in before.items())
        for name in set(before) - set(scheduler.requests):
            assert before[name].num_output_tokens == lengths.pop(name)
            finished += 1
        assert pilot.active
        names = {pilot._seats[request.request_id].number for request in scheduler.running}
        assert set(desk.running["id"][: desk.k].tolist()) == names
        if step % 50 == 0:
            _agrees(scheduler)
    while scheduler.has_unfinished_requests():
        fake.step(scheduler)
    at_rest(scheduler, blocks)
    assert finished > 0
    assert aborted > 0
    assert preempted > 0 or FUZZ_STEPS < 20_000
    assert arrived == finished + aborted + len(lengths)


def _agrees(scheduler: Any) -> None:
    """The tokens that the desk believes in use are those of the requests, up to one step's chunk."""
    scheduler.pilot._set_right()
    desk = scheduler.pilot.desk
    for request in scheduler.running:
        number = scheduler.pilot._seats[request.request_id].number
        row = int(np.flatnonzero(desk.running["id"][: desk.k] == number)[0])
        held = int(desk.running["offset"][row]) + desk.step
        assert abs(held - request.num_tokens) <= 1 or request.num_computed_tokens < request.num_tokens
