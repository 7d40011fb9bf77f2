"""The continuous batching of transformers, steered by our policies, with a tiny random model on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("torch", reason="the environment of the real engines is absent (tests/engine/setup)")
pytest.importorskip("transformers", reason="the environment of the real engines is absent (tests/engine/setup)")

from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig
from transformers.generation.continuous_batching.scheduler import FIFOScheduler

from plimsoll.engine.transformers import register

from .burst import Burst

pytestmark = pytest.mark.engine

BAD = Path(__file__).with_name("bad.py")


class Served(NamedTuple):
    """Tokens of each request, the step in which it finished, and the order of finishing."""

    tokens: list[list[int]]
    finish: np.ndarray
    order: list[int]


@pytest.fixture(scope="module")
def model(weights: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(weights, attn_implementation="sdpa").eval()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The step in which each request finished, by counting what every scheduler inherits."""
    seen = {"now": 0}
    schedule, finish = FIFOScheduler.schedule_batch, FIFOScheduler.finish_request

    def count(self: Any, *args: Any) -> Any:
        seen["now"] += 1
        return schedule(self, *args)

    def note(self: Any, name: str) -> None:
        seen[name] = seen["now"]
        finish(self, name)

    monkeypatch.setattr(FIFOScheduler, "schedule_batch", count)
    monkeypatch.setattr(FIFOScheduler, "finish_request", note)
    return seen


def serve(model: Any, kind: str, burst: Burst, steps: dict[str, int], steered: bool = True) -> Served:
    """The burst to its end; requests are queued before the first batch."""
    steps["now"] = 0
    config = ContinuousBatchingConfig(
        scheduler_type=kind, page_size=16, num_blocks=127, max_batch_tokens=2048, allow_block_sharing=False,
        use_cuda_graph=False, use_async_batching=False,
    )  # fmt: skip
    answers = GenerationConfig(do_sample=False, max_new_tokens=10, eos_token_id=-1, pad_token_id=0)
    manager = model.init_continuous_batching(generation_config=answers, continuous_batching_config=config)
    rng = np.random.default_rng(7)
    for i, (prompt, output) in enumerate(zip(*burst, strict=True)):
        ids = rng.integers(3, 500, prompt).tolist()
        manager.add_request(ids, request_id=str(i), max_new_tokens=int(output))
    manager.start()
    tokens: list[list[int]] = [[] for _ in burst.prompt]
    finish, order = np.zeros(len(tokens)), []
    while len(order) < len(tokens):
        result = manager.get_result(timeout=120)
        assert result is not None
        assert result.error is None
        i = int(result.request_id)
        tokens[i], finish[i] = result.generated_tokens, steps[result.request_id]
        order.append(i)
    scheduler = manager.batch_processor.scheduler
    assert not scheduler.active_requests
    if kind != "fifo":
        assert scheduler._steered == steered
    if kind != "fifo" and steered:
        assert scheduler._desk.k == 0
        assert not scheduler._slots
    manager.stop(block=True)
    return Served(tokens, finish, order)


def test_smallest_volume_first(model: Any, steps: dict[str, int]) -> None:
    burst = Burst.of(0, n=40)
    fifo = serve(model, "fifo", burst, steps)
    ours = serve(model, register("svf"), burst, steps)
    assert ours.tokens == fifo.tokens
    assert [len(answer) for answer in ours.tokens] == burst.output.tolist()
    volume = burst.prompt * burst.output + burst.output * (burst.output + 1) / 2
    places = np.argsort(np.argsort(volume))
    came = {i: place for place, i in enumerate(ours.order)}
    correlation = np.corrcoef([came[i] for i in range(40)], places)[0, 1]
    assert correlation > 0.8
    assert ours.finish.mean() < 0.8 * fifo.finish.mean()


def test_one_at_a_time_in_the_policys_order(model: Any, steps: dict[str, int]) -> None:
    # prompts so long that only one request fits
    burst = Burst(np.array([1200, 1300, 1100, 1250]), np.array([30, 5, 40, 10]))
    assert serve(model, register("sjf"), burst, steps).order == [1, 3, 0, 2]


@pytest.mark.parametrize(("policy", "predictor"), [("svf", "law"), ("load-line", "online")])
def test_lengths_are_learned(model: Any, steps: dict[str, int], policy: str, predictor: str) -> None:
    burst = Burst.of(1, n=30)
    served = serve(model, register(policy, predictor, name="learning"), burst, steps)
    assert [len(answer) for answer in served.tokens] == burst.output.tolist()


@pytest.mark.parametrize("bad", ["Raises", "Muddled"])
def test_a_policy_that_fails_gives_way_to_fifo(model: Any, steps: dict[str, int], bad: str, caplog: Any) -> None:
    burst = Burst.of(2, n=20)
    served = serve(model, register(f"{BAD}:{bad}"), burst, steps, steered=False)
    assert [len(answer) for answer in served.tokens] == burst.output.tolist()
    assert sum("gives way to FIFO" in line for line in caplog.messages) == 1
