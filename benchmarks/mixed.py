"""Mixed arrivals: most requests ordinary, a small share extreme. What each policy loses, and what safeguards save.

    python benchmarks/mixed.py

The third open question of arXiv:2502.07115. Ordinary requests: azure-conv at a load of 0.7 without outliers. An outlier
takes the place of a drawn request: a prompt of an eighth of the memory and 500 output tokens. Rounds host, 65,000
tokens, 20,000 requests, means of three seeds; lengths known unless it says otherwise. Cells: mean latency of the
ordinary requests, in rounds, then over the outlier-free run's of the same policy, and in brackets the outliers' mean in
rounds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from plimsoll import Trace, read_trace, rounds, simulate
from plimsoll.description import load
from plimsoll.policy import SKIP, View, greedy_wait, peak_wait, volume

CAPACITY, REQUESTS, SEEDS = 65_000, 20_000, 3
SHARES = (0.0, 0.005, 0.01, 0.02, 0.05)
BY_SIZE = ["svf", "mc-sf", "sjf", "load-line"]
BY_ARRIVAL = ["mc-benchmark", "fcfs", "fcfs-reserve", "alpha-beta", "alpha-protection"]
LARGE = 2e6  # token-rounds: far above the ordinary, far below an outlier


class Capped(NamedTuple):
    """Smallest volume first; the large ones hold at most a share of the memory together.

    share : of M.
    order : False keeps the order of arrival.
    """

    share: float = 0.4
    order: bool = True

    def rank(self, view: View, i: int) -> float:
        r = view.requests[i]
        return volume(r.prompt, r.predicted) if self.order else r.arrival

    def admit(self, view: View, i: int) -> int:
        r = view.requests[i]
        if volume(r.prompt, r.predicted) > LARGE:
            held = r.prompt + r.predicted
            for x in view.running:
                other = view.requests[x.id]
                if volume(other.prompt, other.predicted) > LARGE:
                    held += other.prompt + other.predicted
            if held > self.share * view.capacity:
                return SKIP
        return peak_wait(view, i, view.capacity) if self.order else greedy_wait(view, i, 0.0)


def mixed(share: float, seed: int) -> tuple[Trace, Any]:
    """The requests, and which of them are outliers."""
    trace = read_trace("azure-conv", requests=REQUESTS, seed=seed)
    now = load(trace, CAPACITY)
    trace = replace(trace, arrival=trace.arrival * (now / 0.7))
    extreme = np.random.default_rng(seed).random(REQUESTS) < share
    prompt = np.where(extreme, CAPACITY // 8, trace.prompt)
    return replace(trace, prompt=prompt, output=np.where(extreme, 500, trace.output)), extreme


def isolated(trace: Trace, extreme: Any, seed: int) -> tuple[float, float]:
    """Two servers in the place of one: 70 % of the memory for ordinary requests, 30 % for large ones."""
    means = [np.nan, np.nan]
    for at, (rows, memory) in enumerate(((~extreme, 0.7), (extreme, 0.3))):
        if rows.any():
            host = rounds(capacity=int(memory * CAPACITY))
            means[at] = float(simulate(trace.keep(rows), "svf", host, seed=seed).latency.mean())
    return means[0], means[1]


def means(policy: Any, share: float, predictor: str = "exact") -> tuple[float, float, float]:
    """Mean latency of the ordinary and of the outliers, rounds, and the load."""
    found = []
    for seed in range(SEEDS):
        trace, extreme = mixed(share, seed)
        if policy == "isolated":
            pair = isolated(trace, extreme, seed)
        else:
            wait = simulate(trace, policy, rounds(capacity=CAPACITY), predictor, seed=seed).latency
            pair = (float(wait[~extreme].mean()), float(wait[extreme].mean()) if extreme.any() else np.nan)
        found.append((*pair, load(trace, CAPACITY)))
    return tuple(np.mean(found, axis=0).tolist())


def main() -> None:
    rows: dict[str, tuple[Any, str]] = {f"`{policy}`": (policy, "exact") for policy in BY_SIZE + BY_ARRIVAL}
    rows |= {f"`{policy}`, lengths unknown": (policy, "law") for policy in ("load-line", "svf")}
    rows |= {
        "ageing: `svf:age=3000`": ("svf:age=3000", "exact"),
        "ageing: `svf:age=300`": ("svf:age=300", "exact"),
        "cap: `svf`, outliers hold 40 % at most": (Capped(), "exact"),
        "cap: `fcfs`, outliers hold 40 % at most": (Capped(order=False), "exact"),
        "isolation: 30 % of the memory for outliers alone": ("isolated", "exact"),
    }
    loads = [means("svf", share)[2] for share in SHARES]
    print("| | " + " | ".join(f"{s:.1%} (load {x:.2f})" for s, x in zip(SHARES, loads, strict=True)) + " |")
    print("|---|" + "---|" * len(SHARES))
    for name, (policy, predictor) in rows.items():
        cells = [means(policy, share, predictor) for share in SHARES]
        told = [f"{cells[0][0]:.0f}", *(f"× {c[0] / cells[0][0]:.2f} ({c[1]:,.0f})" for c in cells[1:])]
        print(f"| {name} | " + " | ".join(told) + " |", flush=True)


if __name__ == "__main__":
    main()
