"""How well output lengths can be predicted, and what a prediction costs.

Run as ``python benchmarks/predictors.py LOG [SPLITS]`` with a log that has prompts and output lengths, such as the
Arena-Hard answers. Prints means over 20 splits by prompt (seeds 0 … 19): rank correlations, the confusion of the
one bit at 256 tokens, the coverage of the 80 % interval, the online predictor after 5,000 requests; then
microseconds per prediction and per update (median of five).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from plimsoll import Trace
from plimsoll.policy.protocol import ask, parameters
from plimsoll.policy.view import REQUEST, RUNNING, History, records
from plimsoll.predict import Law, Online
from plimsoll.predict.evaluate import Evaluation, evaluate_splits
from plimsoll.predict.replay import fresh
from plimsoll.source import read_trace

LEARN = 2000  # requests in a timed pass
RUNNING_NOW = 256


def show(found: Evaluation) -> None:
    """The quality figures."""
    print(f"{found.held_out} held-out requests, mean of {found.splits} splits by prompt")
    for name, values in found.scores.items():
        figures = "  ".join(f"{key} {value:.3f}" for key, value in values.items())
        print(f"{name:14} {figures}")
    print(f"one bit, output > {found.theta:g}: truth → said, shares of requests")
    for truth, said in found.confusion.items():
        print(f"  {truth:6} short {said['short']:.3f}  long {said['long']:.3f}")
    print("calibration ", "  ".join(f"{level}: {share:.3f}" for level, share in found.calibration.items()))
    spread = sorted(found.by_group.values())
    print(f"coverage by group: {spread[0]:.3f} … {spread[-1]:.3f} over {len(spread)} groups")


def microseconds(work: Callable[[], object], times: int) -> float:
    """Median of five passes, per item."""
    taken: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) / times * 1e6)
    return median(taken)


def cost(trace: Trace) -> None:
    """Microseconds per request, called one at a time from Python as an engine does."""
    print(f"microseconds per request with {RUNNING_NOW} running, median of five")
    for predictor in (Online(), Law(), Law(clients=8, buckets=4)):
        belief = predictor.plan(trace, np.random.default_rng(0))
        state, requests = fresh(predictor), records(len(trace), REQUEST)
        requests["prompt"] = trace.prompt
        running = records(RUNNING_NOW, RUNNING)
        running["id"] = np.arange(RUNNING_NOW)
        running["offset"] = trace.prompt[:RUNNING_NOW] + np.arange(RUNNING_NOW)
        facts = np.zeros((0, 1)) if belief.columns is None else belief.columns
        history = History(0.0, 0, requests, running, state.survival, facts, state.memory)
        predict, learn, p = ask(predictor, "predict"), ask(predictor, "learn"), parameters(predictor)
        rows = range(min(LEARN, len(trace)))
        asked = microseconds(lambda: [predict(history, p, i) for i in rows], len(rows))  # noqa: B023
        told = microseconds(lambda: [learn(history, p, i, int(trace.output[i])) for i in rows], len(rows))  # noqa: B023
        print(f"  {predictor!s:50} predict {asked:6.1f}  learn {told:6.1f}")
    head = trace.head(LEARN)
    hashing = microseconds(lambda: Online().plan(head, np.random.default_rng(0)), len(head))
    print(f"  hashing the prompt (repeated prompts once)         {hashing:6.1f}")


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: python benchmarks/predictors.py LOG [SPLITS]")
    trace = read_trace(sys.argv[1], drop_empty=True)
    show(evaluate_splits(trace, int(sys.argv[2]) if len(sys.argv) > 2 else 20))
    cost(trace)


if __name__ == "__main__":
    main()
