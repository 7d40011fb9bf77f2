"""Writes tests/host/vllm_schedule.json: what the real vLLM scheduler decided on small random cases, by step.

Run with the Python whose path tests/engine/setup prints:

    python -m tests.engine.record_schedule
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import vllm

from . import fake, model

OUT = Path(__file__).parents[1] / "host" / "vllm_schedule.json"
CASES = 32


def case(folder: str, seed: int) -> dict[str, Any]:
    """One random case under stock FCFS and everything that vLLM did with it."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 13))
    prompt = rng.integers(1, 81, n)
    output = np.minimum(rng.lognormal(3, 1, n).astype(int) + 1, 60)
    most = int(-(-(prompt + output).max() // fake.BLOCK))
    blocks = int(rng.integers(most, 2 * most + 1))
    seqs, budget = int(rng.choice([3, 8, 64])), int(rng.choice([32, 64, 256, 2048]))
    arrival = np.sort(rng.integers(0, int(rng.choice([1, 20, 60])), n))
    watermark = float(rng.choice([0.0, 0.0, 0.1]))
    options = {"watermark": watermark} if watermark else {}
    scheduler = fake.scheduler(folder, blocks, max_num_seqs=max(seqs, 1), budget=max(budget, seqs), **options)
    finish, steps = [-1] * n, []
    step = 0
    while scheduler.has_unfinished_requests() or step <= arrival[-1]:
        for i in np.flatnonzero(arrival == step):
            scheduler.add_request(fake.request(int(i), int(prompt[i]), int(output[i]), float(arrival[i])))
        before = {name: request.num_preemptions for name, request in scheduler.requests.items()}
        held = dict(scheduler.requests)
        planned = fake.step(scheduler)
        preempted = [int(name) for name, count in before.items() if held[name].num_preemptions > count]
        chosen = [[int(name), count] for name, count in planned.num_scheduled_tokens.items()]
        steps.append([chosen, preempted, fake.free_blocks(scheduler)])
        for name in set(held) - set(scheduler.requests):
            finish[int(name)] = step
        step += 1
        assert step < 100_000
    return {
        "block_size": fake.BLOCK,
        "blocks": blocks,
        "max_num_seqs": seqs,
        "max_num_batched_tokens": budget,
        "watermark": watermark,
        "requests": [[int(a), int(s), int(o)] for a, s, o in zip(arrival, prompt, output, strict=True)],
        "finish_step": finish,
        "steps": steps,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model.write_config(Path(folder))
        cases = [case(folder, seed) for seed in range(CASES)]
    about = (
        "Decisions of the stock vLLM V1 scheduler (fcfs, no prefix caching, no async scheduling) on fake model "
        "outputs. Requests are [arrival step, prompt, output]; a request arrives before its step. A step is its "
        "scheduled [request, tokens] pairs in vLLM's order (running, then admitted), the requests preempted in "
        "it, and the blocks free after its outputs."
    )
    preemptions = sum(len(step[1]) for one in cases for step in one["steps"])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases)
    OUT.write_text(f'{{"about":{json.dumps(about)},"vllm":"{vllm.__version__}","cases":[\n{lines}\n]}}\n')
    print(f"{OUT}: {len(cases)} cases, {preemptions} preemptions, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
