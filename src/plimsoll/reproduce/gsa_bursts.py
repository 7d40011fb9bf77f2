"""Feng et al. (2026), arXiv:2601.22996, the experiments: equal lengths, the two-point trap, bursts of chat lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from ..bounds.adversary import two_point
from ..bounds.area import lower_bound
from ..host.discrete import Rounds
from ..report.curve import wedges
from ..report.panel import Axis, Mark, Panel, Series
from ..simulation import simulate
from ..trace import Floats, Trace
from .lab import Lab, Table, Worst, burst, curves
from .ledger import IN_SHAPE, NOT_REPRODUCED, REPRODUCED, Finding, held

BLIND = "constant:1"
"""What a policy that may know nothing of lengths is told: that an output has at least one token."""
WAVES = {"together": "mc-benchmark", "staggered": "gba"}
"""Equal requests in order of arrival, and in a staggered pipeline."""


def least(trace: Trace, capacity: int) -> float:
    """A certified lower bound on the total latency of a burst, rounds."""
    return lower_bound(np.zeros(len(trace), np.int64), trace.prompt, trace.output, capacity)


def total(trace: Trace, policy: str, capacity: int, predictor: str = "exact") -> float:
    """The total latency of a policy, rounds."""
    return float(simulate(trace, policy, Rounds(capacity, 1), predictor).latency.sum())


def waves(lab: Lab) -> dict[str, float]:
    """Equal lengths, started together and staggered: how evenly each fills the memory.

    200 requests with prompts of 79 and outputs of 64, M = 4096; what is held least counts from the first finish to the
    last start.
    """
    trace, capacity = burst(np.full(200, 79), np.full(200, 64)), 4096

    def run() -> Mapping[str, float]:
        figures: dict[str, float] = {}
        for name, policy in WAVES.items():
            result = simulate(trace, policy, Rounds(capacity, 1))
            held = _held(trace, policy, capacity)
            steady = held[int(result.finish.min()) : int(result.start.max())]
            figures |= {f"{name}: least held": float(steady.min()), f"{name}: most held": float(held.max())}
            figures |= {f"{name}: total": float(result.latency.sum()), f"{name}: rounds": float(result.finish.max())}
        return figures

    found = lab.cell("gsa waves", run)
    columns = ["least held", "most held", "rounds", "total"]
    rows = [[name, *(found[f"{name}: {column}"] for column in columns)] for name in WAVES]
    heads = ["start", "least tokens held in between", "most", "all done after (rounds)", "total latency (rounds)"]
    lab.table(Table("Claim 23: 200 equal requests of 79 and 64 tokens, M = 4096", heads, rows))
    lines: list[Series] = []
    for k, (name, policy) in enumerate(WAVES.items()):
        held = _held(trace, policy, capacity)
        lines.append(Series(name, np.arange(1.0, len(held) + 1), held, k))
    mark = Mark("y", capacity, "M = 4096")
    lab.figure(
        Panel("claim-23", "Claim 23: equal requests", "", Axis("round"), Axis("KV cache held", "tokens"), lines, [mark])
    )
    return {f"rounds, {name}": found[f"{name}: rounds"] for name in WAVES}


def _held(trace: Trace, policy: str, capacity: int) -> Floats:
    """Tokens held in each round, from round 1."""
    stays = wedges(simulate(trace, policy, Rounds(capacity, 1)))
    now = np.arange(1, int(stays.stop.max()) + 1)[:, None]
    running = (now > stays.start) & (now <= stays.stop)
    return np.where(running, stays.held + now - stays.start, 0).sum(axis=1).astype(np.float64)


def trap(lab: Lab) -> Finding:
    """Claim 24."""
    policies = {"GSA": "gsa", "GBA": "gba", "MC-SF": "mc-sf", "FCFS": "fcfs", "A-Min": "a-min"}

    def run() -> Mapping[str, float]:
        trace = two_point()
        blind = {"FCFS", "A-Min", "GSA"}
        return {n: total(trace, p, 256, BLIND if n in blind else "exact") for n, p in policies.items()}

    found = lab.cell("gsa trap", run)
    note = "Total latency in rounds; FCFS evicts the newest and starts it again. MC-SF and GBA know the lengths."
    return held(24, found["GSA"] < 0.5 * found["FCFS"], found, note)


# ---- chat lengths


def chat(lab: Lab) -> list[Finding]:
    """Claims 25 and 26."""
    counts = (100, 300, 1000) if lab.quick else tuple(range(100, 1001, 100))
    seeds = range(2 if lab.quick else 10)
    arms = {
        "MC-SF": ("mc-sf", "exact"),
        "GBA-D": ("gba-d", "exact"),
        "GSA-Spec": ("gsa-spec:first={first}", BLIND),
        "FCFS": ("fcfs", BLIND),
        "A-Min": ("a-min", BLIND),
    }
    wins: dict[str, list[bool]] = {"raw": [], "rounded": []}
    rows: list[Sequence[str | float | None]] = []
    for kind, first in (("rounded", 64), ("raw", 256)):
        for capacity in (4096, 8192):
            for n in counts:
                ratios = {name: Worst() for name in arms}
                for seed in seeds:
                    for name, (policy, predictor) in arms.items():
                        make = partial(_burst, lab, kind, n, capacity, seed, policy.format(first=first), predictor)
                        cell = lab.cell("gsa chat", make, kind=kind, n=n, capacity=capacity, seed=seed, policy=name)
                        ratios[name].see(cell["ratio"])
                means = {name: ratio.told()["mean ratio"] for name, ratio in ratios.items()}
                rows.append([kind, str(capacity), str(n), *means.values()])
                best = min(means, key=lambda name: means[name])
                blind = min(("GSA-Spec", "FCFS", "A-Min"), key=lambda name: means[name])
                wins[kind].append(best == "GBA-D" if kind == "raw" else blind == "GSA-Spec")
    heads = ["lengths", "M", "n", *arms]
    title = f"Claims 25 and 26: total latency over a lower bound, prompt 79, {len(seeds)} seeds, {lab.source}"
    lab.table(Table(title, heads, rows))
    for kind in wins:
        part = [row for row in rows if row[0] == kind and row[1] == "4096"]
        lines = {arm: (counts, [float(row[3 + k] or 0) for row in part]) for k, arm in enumerate(arms)}
        axes = Axis("requests n"), Axis("total latency over the bound", log=True)
        lab.figure(curves(f"claim-25-{kind}", f"Claims 25 and 26: {kind} lengths, M = 4096", *axes, lines))
    rounded, raw = sum(wins["rounded"]), sum(wins["raw"])
    settings = len(counts) * 2
    return [
        Finding(25, _share(rounded, settings), {"settings where GSA-Spec is lowest": rounded, "of": settings},
                f"{lab.source}; against FCFS and A-Min. At n = 100 nearly all requests fit at once."),
        Finding(26, _share(raw, settings), {"settings where GBA-D is lowest": raw, "of": settings},
                f"{lab.source}; against MC-SF, GSA-Spec, FCFS and A-Min; MC-SF knows lengths too."),
    ]  # fmt: skip


def _share(won: int, of: int) -> str:
    return REPRODUCED if won == of else IN_SHAPE if won > of / 2 else NOT_REPRODUCED


def _burst(lab: Lab, kind: str, n: int, capacity: int, seed: int, policy: str, predictor: str) -> Mapping[str, float]:
    prompt, longest = 79, 4096 - 79
    _, output = lab.chat(n, np.random.default_rng(seed), longest)
    if kind == "rounded":
        output = np.minimum(2 ** np.ceil(np.log2(output)).astype(np.int64), 2048)
    trace = burst(np.full(n, prompt), output)
    return {"ratio": total(trace, policy, capacity, predictor) / least(trace, capacity)}
