"""Writes tests/host/vllm_*.json: what the real vLLM scheduler decided on small random cases, by step.

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
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.async_scheduler import AsyncScheduler

from . import fake, model

OUT = Path(__file__).parents[1] / "host"
CASES = 32


def prompts(rng: np.random.Generator, length: np.ndarray) -> list[list[int]]:
    """Names of the runs of each prompt, a block long: paths of a tree with few branches, the last run its own."""
    above = [0, *(int(rng.integers(max(0, name - 4), name)) for name in range(1, 24))]
    found = []
    for i, tokens in enumerate(length):
        path = [int(rng.integers(0, 24))]
        while path[-1] > 0:
            path.append(above[path[-1]])
        runs = [100 + name for name in reversed(path)][: (tokens - 1) // fake.BLOCK]
        while len(runs) * fake.BLOCK < tokens:
            runs.append(1000 + 100 * i + len(runs))
        found.append(runs)
    return found


def drawn(rng: np.random.Generator) -> tuple[Any, Any, int, int, int]:
    """A few small requests and an engine that is tight for them: prompts, outputs, blocks, places, tokens a step."""
    n = int(rng.integers(4, 13))
    prompt = rng.integers(1, 81, n)
    output = np.minimum(rng.lognormal(3, 1, n).astype(int) + 1, 60)
    most = int(-(-(prompt + output).max() // fake.BLOCK))
    blocks = int(rng.integers(most, 2 * most + 1))
    return prompt, output, blocks, int(rng.choice([3, 8, 64])), int(rng.choice([32, 64, 256, 2048]))


def case(folder: str, seed: int, caching: bool = False, ranked: bool = False) -> dict[str, Any]:
    """One random case and everything that stock vLLM did with it: FCFS, or priority = volume where ``ranked``."""
    rng = np.random.default_rng(seed)
    prompt, output, blocks, seqs, budget = drawn(rng)
    n = len(prompt)
    arrival = np.sort(rng.integers(0, int(rng.choice([1, 20, 60])), n))
    watermark = float(rng.choice([0.0, 0.0, 0.1]))
    options: dict[str, Any] = {"watermark": watermark} if watermark else {}
    options |= {"policy": "priority"} if ranked else {}
    volume = (prompt - 1) * output + output * (output + 1) // 2  # as the serving host counts prompts
    scheduler = fake.scheduler(
        folder, blocks, max_num_seqs=max(seqs, 1), budget=max(budget, seqs), caching=caching, **options
    )
    runs = prompts(rng, prompt) if caching else []
    first, finish, steps, hits = [-1] * n, [-1] * n, [], 0
    step = 0
    while scheduler.has_unfinished_requests() or step <= arrival[-1]:
        for i in np.flatnonzero(arrival == step):
            tokens = np.repeat(runs[i], fake.BLOCK)[: prompt[i]].tolist() if caching else None
            hasher = get_request_block_hasher(fake.BLOCK, sha256) if caching else None
            one = fake.request(int(i), int(prompt[i]), int(output[i]), float(arrival[i]), tokens, hasher)
            one.priority = int(volume[i]) if ranked else 0
            scheduler.add_request(one)
        before = {name: request.num_preemptions for name, request in scheduler.requests.items()}
        held = dict(scheduler.requests)
        planned = fake.step(scheduler)
        hits += sum(new.num_computed_tokens for new in planned.scheduled_new_reqs)
        again = planned.scheduled_cached_reqs
        hits += sum(
            count
            for name, count in zip(again.req_ids, again.num_computed_tokens, strict=True)
            if name in again.resumed_req_ids
        )
        for name, one in held.items():
            if first[int(name)] < 0 and one.num_output_tokens > 0:
                first[int(name)] = step
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
        **({"hash_ids": runs, "cached_tokens": int(hits), "first_step": first} if caching else {}),
        "finish_step": finish,
        "steps": steps,
    }


def overlapped(folder: str, seed: int) -> dict[str, Any]:
    """One random case, all at step 0, whose steps are scheduled while the one before runs."""
    rng = np.random.default_rng(seed)
    prompt, output, blocks, seqs, budget = drawn(rng)
    n = len(prompt)
    scheduler = fake.scheduler(folder, blocks, AsyncScheduler, max_num_seqs=seqs, budget=max(budget, seqs))
    for i in range(n):
        scheduler.add_request(fake.request(i, int(prompt[i]), int(output[i]), 1e-9 * i))
    steps: list[Any] = []
    pipeline = fake.Pipeline(scheduler)
    while scheduler.has_unfinished_requests():
        before = {name: request.num_preemptions for name, request in scheduler.requests.items()}
        held = dict(scheduler.requests)
        planned = pipeline.step()
        preempted = [int(name) for name, count in before.items() if held[name].num_preemptions > count]
        steps.append([[[int(name), count] for name, count in planned.num_scheduled_tokens.items()], preempted])
        assert len(steps) < 100_000
    return {
        "block_size": fake.BLOCK,
        "blocks": blocks,
        "max_num_seqs": seqs,
        "max_num_batched_tokens": budget,
        "watermark": 0.0,
        "requests": [[0, int(s), int(o)] for s, o in zip(prompt, output, strict=True)],
        "steps": steps,
    }


def main() -> None:
    init_none_hash(sha256)
    with tempfile.TemporaryDirectory() as folder:
        model.write_config(Path(folder))
        plain = [case(folder, seed) for seed in range(CASES)]
        write("vllm_schedule.json", "fcfs, no prefix caching, no async scheduling", plain)
        shared = [case(folder, seed, caching=True) for seed in range(CASES)]
        kind = "fcfs, prefix caching, no async scheduling; hash_ids name the runs of each prompt, a block long"
        write("vllm_prefixes.json", kind, shared)
        by_volume = [case(folder, seed, ranked=True) for seed in range(CASES)]
        write("vllm_priority.json", "priority = volume, no prefix caching, no async scheduling", by_volume)
        ahead = [overlapped(folder, seed) for seed in range(CASES)]
        write("vllm_async.json", "fcfs, no prefix caching, async scheduling; without the blocks free", ahead)


def write(name: str, kind: str, cases: list[dict[str, Any]]) -> None:
    about = (
        f"Decisions of the stock vLLM V1 scheduler ({kind}) on fake model "
        "outputs. Requests are [arrival step, prompt, output]; a request arrives before its step. A step is its "
        "scheduled [request, tokens] pairs in vLLM's order (running, then admitted), the requests preempted in "
        "it, and the blocks free after its outputs."
    )
    preemptions = sum(len(step[1]) for one in cases for step in one["steps"])
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases)
    (OUT / name).write_text(f'{{"about":{json.dumps(about)},"vllm":"{vllm.__version__}","cases":[\n{lines}\n]}}\n')
    print(f"{name}: {len(cases)} cases, {preemptions} preemptions")


if __name__ == "__main__":
    main()
