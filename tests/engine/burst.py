"""The burst of 60 requests that the engines are compared on, and what became of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import fake


class Burst(NamedTuple):
    """Prompt U[16, 256], output lognormal(4, 1) capped at 400, tokens, all at time 0."""

    prompt: np.ndarray
    output: np.ndarray

    @classmethod
    def of(cls, seed: int, n: int = 60) -> Burst:
        rng = np.random.default_rng(seed)
        prompt = rng.integers(16, 257, n)
        return cls(prompt, np.clip(rng.lognormal(4, 1, n).astype(int) + 1, 1, 400))


class Served(NamedTuple):
    """What became of each request: the step in which it finished, and all preemptions."""

    finish: np.ndarray
    preemptions: int
    order: list[int]  # in which they were first scheduled


def serve(scheduler: Any, burst: Burst, hints: np.ndarray | None = None) -> Served:
    """Run the burst to its end on fake outputs."""
    n = len(burst.prompt)
    held = {}
    for i in range(n):
        extra = {} if hints is None else {"predicted_output_tokens": int(hints[i])}
        request = fake.request(i, int(burst.prompt[i]), int(burst.output[i]), float(i) * 1e-6, **extra)
        held[request.request_id] = request
        scheduler.add_request(request)
    finish, order = np.zeros(n), []
    steps = 0
    while scheduler.has_unfinished_requests():
        before = set(scheduler.requests)
        planned = fake.step(scheduler)
        steps += 1
        order += [int(new.req_id) for new in planned.scheduled_new_reqs if int(new.req_id) not in order]
        finish[[int(name) for name in before - set(scheduler.requests)]] = steps
        assert steps < 50_000
    assert all(request.num_output_tokens == burst.output[int(name)] for name, request in held.items())
    return Served(finish, sum(request.num_preemptions for request in held.values()), order)
