"""What a policy adds to the time of vLLM's own ``schedule()``: 10,000 requests waiting, 256 running.

The real scheduler and block manager on fake model outputs, stock and steered, a step of each by turns in one run.
Prints the median over the steps, milliseconds, the mean time to take in a step's outputs (where a predictor learns from
those that finish), and the time per arrival of prompts that are all different. With the blocks given here both keep 256
running; with fewer (``--blocks 7000``) memory binds, a policy keeps more of them running than stock does, and a step
takes longer for that: so the decisions are also set against vLLM's own part of the very same steps. With
``--policy load-line:order=0`` both run the same requests, and the medians themselves differ by the decisions alone. Run
with the Python of tests/engine/setup:

    OMP_NUM_THREADS=1 VLLM_LOGGING_LEVEL=ERROR PYTHONPATH=src python -m benchmarks.decision --policy svf
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from vllm.v1.core.sched.scheduler import Scheduler as Stock

from plimsoll.engine.options import Options
from plimsoll.engine.vllm import Scheduler
from tests.engine import fake, model

SEQUENCES = 256


def fill(scheduler: Any, waiting: int) -> float:
    """Queue the requests; seconds per arrival over the last thousand."""
    rng = np.random.default_rng(0)
    spent = 0.0
    for i in range(waiting + 400):
        output = int(np.clip(rng.lognormal(6, 0.8), 1, 3000))
        ids = rng.integers(0, 30_000, rng.integers(50, 450)).tolist()
        request = fake.request(i, len(ids), output, i * 1e-3, ids)
        mark = time.perf_counter()
        scheduler.add_request(request)
        if i >= waiting - 600:
            spent += time.perf_counter() - mark
    return spent / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policy", default=Options.policy)
    parser.add_argument("--predictor", default=Options.predictor)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--blocks", type=int, default=15_000)  # of 16 tokens
    ask = parser.parse_args()
    plimsoll = {"plimsoll": {"policy": ask.policy, "predictor": ask.predictor, "share": 1.0}}
    with tempfile.TemporaryDirectory() as folder:
        shape = str(model.write_config(Path(folder)))
        arms = {
            "stock": fake.scheduler(shape, ask.blocks, Stock, max_num_seqs=SEQUENCES),
            "plimsoll": fake.scheduler(shape, ask.blocks, Scheduler, max_num_seqs=SEQUENCES, additional=plimsoll),
        }
        arrival = {name: fill(scheduler, ask.waiting) for name, scheduler in arms.items()}
        times: dict[str, list[float]] = {name: [] for name in arms}
        taken: dict[str, list[float]] = {name: [] for name in arms}
        running: dict[str, list[int]] = {name: [] for name in arms}
        decisions: list[float] = []
        for step in range(ask.steps + 200):
            for name, scheduler in arms.items():
                began = time.perf_counter()
                planned = scheduler.schedule()
                took = time.perf_counter() - began
                outputs = fake.outputs(scheduler, planned)
                mark = time.perf_counter()
                scheduler.update_from_output(planned, outputs)
                if step >= 200:
                    taken[name].append(1000 * (time.perf_counter() - mark))
                    times[name].append(1000 * took)
                    if name == "plimsoll":
                        decisions.append(1000 * scheduler.pilot._step_s)
                    running[name].append(len(scheduler.running))
    print(f"load {os.getloadavg()[0]:.1f}; {ask.policy}, {ask.predictor}; {ask.steps} steps, {ask.waiting} waiting")
    for name in arms:
        median, p99 = np.percentile(times[name], [50, 99])
        print(
            f"{name:9} schedule() median {median:6.3f} ms  p99 {p99:6.3f} ms  running {np.mean(running[name]):5.0f}"
            f"  outputs {np.mean(taken[name]):5.3f} ms  arrival {1e6 * arrival[name]:5.1f} µs"
        )
    rest = np.median(np.array(times["plimsoll"]) - decisions)
    print(
        f"decisions: median {np.median(decisions):.3f} ms a step, {np.median(decisions) / rest:+.1%} on vLLM's own "
        f"part of the same steps; still steering: {arms['plimsoll'].pilot.active}"
    )


if __name__ == "__main__":
    main()
