"""Ao et al. (2025), arXiv:2504.11320, the experiments: WAIT and Nested WAIT beside engines, on one step time.

The engines' modes run in the serving host. WAIT runs in the iterations host, with whole prompts, on the same law of a
step: prompts cost what they cost there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil

import numpy as np

from ..errors import InputError
from ..host.iterations import Iterations
from ..host.serving import Serving
from ..report.panel import Axis
from ..simulation import simulate
from ..steptime import roofline
from ..trace import Ints, Trace
from .lab import Lab, Table, curves, poisson
from .ledger import IN_SHAPE, NOT_REPRODUCED, Finding

CAPACITY = 137_000
"""KV tokens of Llama-2-7B beside its weights on one A100 of 80 GB, as published."""
LIMIT_S = 3.0
"""A rate is kept where the mean latency stays below, seconds."""
CAPS = (20, 30, 40, 60, 80)
ARMS = {
    "vLLM": ("vllm-v0", (128,)),
    "Sarathi": ("sarathi", (128,)),
    "cap only": ("vllm-v0", CAPS),
    "cap and chunks": ("sarathi", CAPS),
    "WAIT": ("wait", CAPS),
}
"""A mode of the serving host or the policy WAIT, and the caps on concurrent requests to choose from."""
HIGHEST = {
    "single": {"vLLM": 19.0, "Sarathi": 22.0, "WAIT": 23.0},
    "two types": {"vLLM": 18.0, "Sarathi": 21.0, "WAIT": 22.0},
}
"""Published largest rates."""
LATENCIES = {
    ("single", 22.0): {"vLLM": 18.23, "Sarathi": 1.85, "WAIT": 1.03},
    ("single", 23.0): {"vLLM": 26.78, "Sarathi": 5.08, "WAIT": 1.29},
    ("two types", 22.0): {"vLLM": 56.70, "Sarathi": 4.06, "WAIT": 2.36},
    ("two types", 23.0): {"vLLM": 80.25, "Sarathi": 8.41, "WAIT": 5.66},
    ("long outputs", 4.0): {"Sarathi": 30.2, "WAIT": 26.4},
    ("long outputs", 4.5): {"vLLM": 53.8, "Sarathi": 41.7, "WAIT": 32.3},
}
"""Published mean latencies, seconds, by workload and rate."""
LONG_CAPS = (60, 80, 100, 120)
SEEDS = (3, 4, 5)


def rates(lab: Lab) -> Finding:
    """Claim 41."""
    best = {kind: _highest_rates(lab, kind) for kind in HIGHEST}
    near = {kind: _near(lab, kind, highest["Sarathi"]) for kind, highest in best.items()}
    far = _latencies(lab)
    _chat(lab)
    measured = {f"{arm}, {kind} (1/s)": rate for kind, found in best.items() for arm, rate in found.items()}
    less = {kind: found["WAIT"] / found["Sarathi"] for kind, found in near.items()}
    measured |= {f"WAIT over Sarathi at Sarathi's rate, {kind}": share for kind, share in less.items()}
    long = {arm: far["long outputs", 4.5, arm] for arm in ("vLLM", "Sarathi", "WAIT")}
    measured |= {f"{arm}, 512 + 1000 tokens at 4.5/s (s)": latency for arm, latency in long.items()}
    ordered = all(found["vLLM"] < found["Sarathi"] <= found["WAIT"] for found in best.values())
    gains = max(less.values()) < 0.9
    shape = ordered and gains and long["WAIT"] < long["Sarathi"] < long["vLLM"]
    note = (
        f"{_count(lab):,} requests, middle third, {len(SEEDS)} seeds; step times of a datasheet. The order of the "
        f"largest rates is {'' if ordered else 'not '}the published one. A gain of WAIT over Sarathi in latency at "
        f"Sarathi's rate (published 42 to 75 % at 22 and 23/s) is {'' if gains else 'not '}seen: here chunks of 512 "
        "tokens fill a step as well as whole prompts do."
    )
    return Finding(41, IN_SHAPE if shape else NOT_REPRODUCED, measured, note)


def _count(lab: Lab) -> int:
    return 1500 if lab.quick else 10_000


# ---- one run


def _trace(kind: str, rate: float, count: int, seed: int) -> Trace:
    """Prompts of 512 and outputs of 20, of 20 and (three in ten) 50, or of 1000, in Poisson arrivals."""
    rng = np.random.default_rng(seed)
    short = np.full(count, 20)
    output = {
        "single": short,
        "two types": np.where(rng.uniform(size=count) < 0.7, short, 50),
        "long outputs": np.full(count, 1000),
    }[kind]
    return poisson(rate, np.full(count, 512), output, rng, kind)


def _served(trace: Trace, mode: str, cap: int, policy: str = "fcfs") -> float:
    """Mean latency of the middle third, seconds; ``policy`` is that of the iterations host."""
    if mode == "wait":
        host = Iterations(CAPACITY, roofline("a100", "llama-2-7b"))
    else:
        policy = "fcfs"
        host = Serving(gpu="a100", model="llama-2-7b", mode=mode, blocks=CAPACITY // 16, watermark=0.01,
                       max_num_seqs=cap, max_num_batched_tokens=4096)  # fmt: skip
    latency = simulate(trace, policy, host).latency
    return float(latency[len(trace) // 3 : ceil(2 * len(trace) / 3)].mean())


def _wait(trace: Trace, cap: int) -> str:
    """WAIT with thresholds that keep ``cap`` requests in a steady stream: one type a threshold, two by their rates."""
    kinds, counts = np.unique(trace.output, return_counts=True)
    held = (kinds + 1) * (512 + kinds / 2)
    room = cap / float(counts @ (kinds + 1)) * float(counts @ held)
    return f"wait:types={len(kinds)},share={min(1.0, (room + 512 * len(kinds)) / CAPACITY)}"


def _mean(kind: str, mode: str, caps: Sequence[int], rate: float, count: int) -> tuple[float, int]:
    """Mean latency over the seeds with the cap that makes it least, and that cap."""

    def of(cap: int) -> float:
        traces = [_trace(kind, rate, count, seed) for seed in SEEDS]
        return float(np.mean([_served(t, mode, cap, _wait(t, cap)) for t in traces]))

    means = {cap: of(cap) for cap in caps}
    cap = min(means, key=lambda each: means[each])
    return means[cap], cap


# ---- the largest rate, and latencies at given rates


def _highest_rates(lab: Lab, kind: str) -> dict[str, float]:
    count, found = _count(lab), dict[str, float]()
    rows: list[Sequence[str | float | None]] = []
    for arm, (mode, caps) in ARMS.items():
        cell = lab.cell("wait highest", partial(_highest, kind, mode, caps, count), kind=kind, arm=arm, requests=count)
        found[arm] = cell["rate"]
        rows.append([arm, HIGHEST[kind].get(arm), cell["rate"], str(int(cell["cap"]))])
    heads = ["arm", "published (1/s)", "ours (1/s)", "with at most so many requests"]
    lab.table(Table(f"Claim 41: largest rate with a mean latency of at most {LIMIT_S:g} s, {kind}", heads, rows))
    return found


def _highest(kind: str, mode: str, caps: Sequence[int], count: int) -> Mapping[str, float]:
    """The largest whole rate below 64/s that is kept, by bisection."""
    low, high, at = 1, 64, float(caps[0])
    while high - low > 1:
        rate = (low + high) // 2
        mean, cap = _mean(kind, mode, caps, float(rate), count)
        low, high, at = (rate, high, float(cap)) if mean <= LIMIT_S else (low, rate, at)
    return {"rate": float(low), "cap": at}


def _near(lab: Lab, kind: str, rate: float) -> dict[str, float]:
    """Mean latency of each arm over a few rates up to Sarathi's largest, drawn; returned at that one."""
    count, steps = _count(lab), (0.6, 0.8, 0.9, 1.0)
    at = {arm: [_cell(lab, kind, arm, round(rate * step, 2), count) for step in steps] for arm in ARMS}
    axes = Axis("arrival rate", "1/s"), Axis("mean latency", "s", log=True)
    lines = {arm: ([rate * step for step in steps], means) for arm, means in at.items()}
    lab.figure(curves(f"claim-41-{kind.replace(' ', '-')}", f"Claim 41: {kind}", *axes, lines))
    return {arm: means[-1] for arm, means in at.items()}


def _cell(lab: Lab, kind: str, arm: str, rate: float, count: int) -> float:
    mode, caps = ARMS[arm]
    if kind == "long outputs" and len(caps) > 1:
        caps = LONG_CAPS

    def run() -> Mapping[str, float]:
        return {"mean": _mean(kind, mode, caps, rate, count)[0]}

    return lab.cell("wait latency", run, kind=kind, arm=arm, rate=rate, requests=count)["mean"]


def _latencies(lab: Lab) -> dict[tuple[str, float, str], float]:
    """Every published latency beside ours at the same rate."""
    found: dict[tuple[str, float, str], float] = {}
    rows: list[Sequence[str | float | None]] = []
    for (kind, rate), published in LATENCIES.items():
        count = _count(lab) if kind != "long outputs" else _count(lab) // 3
        for arm in ("vLLM", "Sarathi", "WAIT"):
            found[kind, rate, arm] = _cell(lab, kind, arm, rate, count)
            rows.append([kind, f"{rate:g}/s", arm, published.get(arm), found[kind, rate, arm]])
    lab.table(Table("Claim 41: mean latency, seconds", ["workload", "rate", "arm", "published", "ours"], rows))
    return found


# ---- chat lengths and Nested WAIT


def _chat(lab: Lab) -> None:
    """Nested WAIT with its grid of segments and caps, tuned on each rate as in the paper, which has curves only."""
    count = 1500 if lab.quick else 5000
    at = (20.0, 50.0, 80.0) if lab.quick else tuple(float(rate) for rate in range(10, 160, 20))
    segments = (1, 4, 10) if lab.quick else (1, 2, 3, 4, 5, 10, 20)
    caps = (60, 120, 180) if lab.quick else tuple(range(20, 220, 20))
    rows: list[Sequence[str | float | None]] = []
    for rate in at:
        trace = _mix(lab, count, rate)
        for arm, mode in (("vLLM", "vllm-v0"), ("Sarathi", "sarathi")):

            def run(trace: Trace = trace, mode: str = mode) -> Mapping[str, float]:
                return {"mean": _served(trace, mode, 128)}

            cell = lab.cell("wait chat", run, arm=arm, rate=rate, requests=count)
            rows.append([f"{rate:g}/s", arm, "", cell["mean"]])
        nested = partial(_nested, trace, segments, caps)
        cell = lab.cell("wait chat", nested, arm="nested", rate=rate, requests=count, segments=segments, caps=caps)
        setting = f"{cell['segments']:.0f} segments, at most {cell['cap']:.0f}"
        rows.append([f"{rate:g}/s", "Nested WAIT", setting, cell["mean"]])
    source = "lengths with the published quantiles" if lab.lengths is None else lab.source
    title = f"Claim 41: chat, both lengths below 500, {count:,} requests, {source}; the paper has curves only"
    lab.table(Table(title, ["rate", "arm", "best of the grid", "mean latency (s)"], rows))
    axes = Axis("arrival rate", "1/s"), Axis("mean latency", "s")
    means = {arm: [float(row[3] or 0) for row in rows if row[1] == arm] for arm in ("vLLM", "Sarathi", "Nested WAIT")}
    lab.figure(curves("claim-41-chat", "Claim 41: chat lengths", *axes, {arm: (at, m) for arm, m in means.items()}))


def _nested(trace: Trace, segments: Sequence[int], caps: Sequence[int]) -> Mapping[str, float]:
    best = {"mean": np.inf, "segments": 0.0, "cap": 0.0}
    for count in segments:
        for cap in caps:
            try:
                mean = _served(trace, "wait", cap, f"nested-wait:segments={count},cap={cap}")
            except InputError:
                continue  # the paper's grid reaches beyond what memory holds, or cuts where nobody finishes
            if mean < best["mean"]:
                best = {"mean": mean, "segments": float(count), "cap": float(cap)}
    return best


def _mix(lab: Lab, count: int, rate: float) -> Trace:
    """Chat requests with both lengths below 500."""
    rng = np.random.default_rng(5)
    if lab.lengths is not None:
        below = (lab.lengths.prompt < 500) & (lab.lengths.output < 500)
        if not below.any():
            raise InputError(f"{lab.lengths.name}: no request has both lengths below 500 tokens")
        short = lab.lengths.keep(below)
        rows = rng.integers(0, len(short), count)
        return poisson(rate, np.maximum(short.prompt[rows], 1), short.output[rows], rng, "chat")
    prompt: Ints = np.clip(np.exp(np.log(21) + 1.433 * rng.standard_normal(count)), 1, 499).astype(np.int64)
    share, tokens = (0.0, 0.31, 0.5, 0.86, 1.0), (1, 50, 116, 300, 499)  # 31 % up to 50, median 116, 14 % above 300
    output: Ints = np.interp(rng.uniform(size=count), share, tokens).astype(np.int64)
    return poisson(rate, prompt, output, rng, "chat")
