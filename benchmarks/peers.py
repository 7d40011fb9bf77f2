"""The serving host beside the fastest public simulator, NVIDIA Dynamo's mocker, on the same requests.

    python benchmarks/peers.py --peer PYTHON   # one with ai-dynamo-runtime==1.5.1

Two loads of 10,000 chat requests, interleaved, medians of five; the mocker's time is its own replay call, ours the
whole of ``simulate``. Peak memory is of each process; ours also holds the compiler's libraries.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SETTINGS = {"block_size": 16, "max_num_seqs": 128, "max_num_batched_tokens": 4096}
BLOCKS = 3328
PEER = """
import json, resource, sys, time
from dynamo._core import MockEngineArgs, run_mocker_trace_replay
args = MockEngineArgs(num_gpu_blocks=%d, enable_prefix_caching=False, **json.loads(sys.argv[2]))
began = time.perf_counter()
run_mocker_trace_replay([sys.argv[1]], extra_engine_args=args, num_workers=1, trace_block_size=16)
seconds = time.perf_counter() - began
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def chat(requests: int, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrivals (s), prompts and outputs of chat-like requests."""
    rng = np.random.default_rng(7)
    prompt = np.clip(rng.lognormal(6.2, 1.0, requests), 4, 8000).astype(np.int64)
    output = np.clip(rng.lognormal(5.0, 0.9, requests), 1, 2000).astype(np.int64)
    return np.cumsum(rng.exponential(1 / rate, requests)), prompt, output


def ours(requests: int, rate: float, repeat: int) -> None:
    """Print seconds of each call, peak memory (MiB), events and steps as JSON."""
    from plimsoll import Trace, serving, simulate

    trace = Trace(*chat(requests, rate))
    host = serving(gpu="a100", model="llama-2-70b", tp=2, blocks=BLOCKS, **SETTINGS)
    simulate(trace.head(50), "fcfs", host)
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        done = simulate(trace, "fcfs", host)
        seconds.append(time.perf_counter() - began)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([statistics.median(seconds), memory, done.more["events"], done.more["steps"], done.wall_s]))


def mocker(python: str, requests: int, rate: float) -> tuple[float, float]:
    """Seconds of the replay and the peak memory (MiB) of its process."""
    arrival, prompt, output = chat(requests, rate)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.jsonl"
        block = 0
        with file.open("w") as lines:
            for a, p, o in zip(arrival.tolist(), prompt.tolist(), output.tolist(), strict=True):
                ids = list(range(block, block + -(-p // 16)))
                block += len(ids)
                row = {"timestamp": int(1000 * a), "input_length": p, "output_length": o, "hash_ids": ids}
                lines.write(json.dumps(row) + "\n")
        command = [python, "-c", PEER % BLOCKS, str(file), json.dumps(SETTINGS)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
    seconds, memory = json.loads(told)
    return seconds, memory


def floor(requests: int = 10_000) -> None:
    """Print nanoseconds per event of what no simulator can leave out.

    One pass over arrivals and completions: each once through a queue, the time of one prompt step and of one stretch
    of decodes for each, one time written. No policy, no memory, no running requests.
    """
    from plimsoll.host.paged import steps_until, stretch_seconds
    from plimsoll.host.queue import empty, pop, push
    from plimsoll.jit import bare
    from plimsoll.steptime import roofline
    from plimsoll.steptime.kernel import decode_base, prefill_seconds

    @bare()
    def once(arrival, prompt, output, law, queue, finish):
        now = 0.0
        for i in range(len(arrival)):
            while queue[0].id > 0 and queue[1].key <= arrival[i]:
                now = max(now, queue[1].key)
                finish[pop(queue)] = now
                first = decode_base(law, 10) + law[0] * 4000.0
                now += stretch_seconds(first, law[0] * 10, steps_until(first, law[0] * 10, 1000, 0.5))
            chunk = float(prompt[i])
            now = max(now, arrival[i]) + prefill_seconds(law, 10, 4000.0, 11, chunk, chunk * chunk, 0.0, 0.0)
            push(queue, arrival[i] + 0.03 * output[i], i)

    arrival, prompt, output = chat(requests, 1.0)
    law, finish, best = roofline("a100", "llama-2-70b", 2).coefficients, np.zeros(requests), np.inf
    for _ in range(20):
        queue, began = empty(requests), time.perf_counter()
        once(arrival, prompt, output, law, queue, finish)
        best = min(best, time.perf_counter() - began)
    print(f"one pass over the events: {1e9 * best / (2 * requests):.0f} ns an event")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="a Python with ai-dynamo-runtime 1.5.1 (1.6 has another interface)")
    parser.add_argument("--ours", nargs=3, metavar=("REQUESTS", "RATE", "REPEAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ours:
        ours(int(options.ours[0]), float(options.ours[1]), int(options.ours[2]))
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for rate in (1.0, 10.0):
        rows = []
        for _ in range(5):
            run = [sys.executable, __file__, "--ours", "10000", str(rate), "3"]
            mine = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
            rows.append((*mine, *(mocker(options.peer, 10_000, rate) if options.peer else (float("nan"),) * 2)))
        seconds, memory, events, steps, loop, other, other_memory = map(statistics.median, zip(*rows, strict=True))
        print(
            f"{rate:g}/s: {1e3 * seconds:.1f} ms in all, {1e3 * loop:.1f} ms in the loop, "
            f"{1e9 * loop / events:.0f} ns an event ({events:.0f}), {1e9 * loop / steps:.0f} ns a step ({steps:.0f}), "
            f"{memory:.0f} MiB; mocker {other:.2f} s, {other_memory:.0f} MiB: {other / seconds:.0f} times"
        )
    for requests in (10_000, 1_000_000):
        run = [sys.executable, __file__, "--ours", str(requests), "1", "3"]
        mine = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
        print(f"{requests} requests: {1e6 * mine[0] / requests:.2f} us a request, {mine[1]:.0f} MiB")
    floor()  # the last: a process begins with the peak memory of the one that starts it


if __name__ == "__main__":
    main()
