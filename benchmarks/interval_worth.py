"""What bounds on the output length bring to the policies that use them.

Run as ``python benchmarks/interval_worth.py [LOG]``. Rounds host; mean latency relative to MC-SF with the true
lengths, and evictions per request. First the error model ``interval:w`` on a built-in workload: A_max plans for the
upper bound, A_min for the lower, MC-SF for the middle. With LOG (prompts and output lengths), the same with the
80 % interval of a model trained on four fifths of the prompts, on the requests of the last fifth.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from plimsoll import Trace, rounds, simulate
from plimsoll.predict.model import save
from plimsoll.predict.train import held_out, prompt_blocks, train
from plimsoll.source import read_trace
from plimsoll.workload import default_capacity

POLICIES = ("mc-sf", "a-max", "a-min")
WIDTHS = (0.2, 0.5, 1.0, 1.5)


def table(title: str, trace: Trace, capacity: int, predictors: list[str]) -> None:
    """Print a row per predictor."""
    host = rounds(capacity=capacity)
    best = simulate(trace, "mc-sf", host).latency.mean()
    print(f"\n{title}: {len(trace)} requests, M = {capacity}; 1 = MC-SF with true lengths, {best:.0f} rounds")
    print(f"{'predictor':20} " + " ".join(f"{policy:>14}" for policy in POLICIES) + "   latency / evictions")
    for predictor in predictors:
        cells: list[str] = []
        for policy in POLICIES:
            if policy != "mc-sf" and predictor in ("constant", "exact"):
                cells.append("–")
                continue
            run = simulate(trace, policy, host, predictor, seed=1)
            ratio = run.latency.mean() / best if run.status == "ok" else np.inf
            cells.append(f"{ratio:.2f} / {run.evictions.mean():.2f}")
        print(f"{Path(predictor).name[-20:]:20} " + " ".join(f"{one:>14}" for one in cells))


def part(trace: Trace, chosen: np.ndarray) -> Trace:
    """Some requests of a trace, all at time 0."""
    more = {name: values[chosen] for name, values in trace.more.items()}
    return Trace(np.zeros(len(chosen)), trace.prompt[chosen], trace.output[chosen], trace.name, more=more)


def main() -> None:
    named = [f"interval:{width}" for width in WIDTHS]
    for name in ("azure-conv", "azure-code"):
        trace = read_trace(name, requests=6000)
        table(name, trace, default_capacity(name), ["exact", *named, "constant"])
        burst = part(trace, np.arange(1500))
        table(f"{name}, all at once", burst, default_capacity(name), ["exact", *named, "constant"])
    if len(sys.argv) > 1:
        trace = read_trace(sys.argv[1], drop_empty=True)
        test = held_out(prompt_blocks(trace), 0.2, 0)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.plim"
            save(train(part(trace, np.flatnonzero(~test))), file)
            asked = part(trace, np.flatnonzero(test))
            table(f"{trace.name}, all at once", asked, 65_000, ["exact", f"learned:{file}", "constant"])


if __name__ == "__main__":
    main()
