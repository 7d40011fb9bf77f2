"""Every published vector of the geometric and threshold families, read from beside the project."""

import json
import math

import numpy as np
import pytest

from plimsoll import Trace, rounds, simulate
from plimsoll.bounds.adversary import large_prompts, short_outputs, square_root
from plimsoll.bounds.area import area, combined, processing
from plimsoll.bounds.solve import bound
from plimsoll.policies.flow import steady_memory
from plimsoll.policies.geometric import slices
from plimsoll.policies.regime import response_phases
from plimsoll.policy.fluid import LinearStep, Types, crossing, fluid, residency
from plimsoll.policy.pipeline import pipeline_peak, pipeline_start, pipeline_width
from plimsoll.policy.thresholds import Segments, nested_memory, segment_caps, tail_rate

pytestmark = pytest.mark.shared


def play(policy, pairs, capacity):
    return simulate(Trace.of([(0, *pair) for pair in pairs]), policy, rounds(capacity=capacity, rounds_per_s=1))


def gsa(s, o, M, alpha, tau0):
    result = play(f"gsa:growth={alpha},first={tau0}", [(s, each) for each in o], M)
    used = slices(s, M, alpha, tau0)
    used = used[: next(p for p, length in enumerate(used) if length >= max(o)) + 1]
    return {
        "completions": result.finish.tolist(),
        "total": result.finish.sum(),
        "phases": [[length, pipeline_width(s, length, M)] for length in used],
    }


def gba(s, o, M, alpha, beta):
    finish = play(f"gba:growth={alpha},first={beta}", [(s, each) for each in o], M).finish
    return {"completions": finish.tolist(), "total": finish.sum()}


def trap(s, M, o, alpha_gsa, tau0, alpha_gba):
    assert o == "160 x6 then 1 x194"
    pairs = [(s, 160)] * 6 + [(s, 1)] * 194
    columns = (np.zeros(200, dtype=np.int64), *(np.array(side) for side in zip(*pairs, strict=True)))
    return {
        "gsa": play(f"gsa:growth={alpha_gsa},first={tau0}", pairs, M).finish.sum(),
        "gba": play(f"gba:growth={alpha_gba}", pairs, M).finish.sum(),
        "mcsf": play("mc-sf", pairs, M).finish.sum(),
        "combined_lb": combined(*columns, M),
        "area_lb": area(*columns, M),
        "processing_lb": processing(*columns, M),
    }


def ratio_constant(kind):
    c = 1 if kind.endswith("large_memory") else 3

    def gba_factor(a):
        return c * a**2 + a**2 / (a - 1)

    growth = np.linspace(1.01, 4, 299_001)
    return float(np.min(gba_factor(growth) * (2 * growth / (growth - 1) if kind.startswith("gsa") else 1)))


def rect(w, p, M):
    scale = 10 * max(p)  # widths are prompt + the longest output: scale them so that no prompt is negative
    pairs = [(scale * width - max(p), length) for width, length in zip(w, p, strict=True)]
    finish = play(f"rect:longest={max(p)}", pairs, scale * M).finish
    return {"completions": finish.tolist(), "total": finish.sum()}


def response(s, o, M, alpha):
    phases = response_phases(M, alpha)
    last = next(r for r, (cap, _, _) in enumerate(phases) if cap >= max(o)) + 1
    finish = play(f"response:growth={alpha}", list(zip(s, o, strict=True)), M).finish
    return {"completions": finish.tolist(), "phases": [list(phase) for phase in phases[:last]]}


def route(s, o, M, Lambda, alpha):
    assert 4 * Lambda == M and alpha == 2
    result = play("route", list(zip(s, o, strict=True)), M)
    certified = {}
    for i, start, stop, _ in result.attempts.tolist():
        if s[i] <= Lambda and stop - start == s[i] < o[i] and str(i) not in certified:
            certified[str(i)] = stop
    return {"completions": result.finish.tolist(), "total": result.finish.sum(), "certified": certified}


def area_greedy(jobs, M):
    found = large_prompts(100)
    assert found.capacity == M
    pairs = list(zip(found.trace.prompt.tolist(), found.trace.output.tolist(), strict=True))
    return {"total": play("svf:reserve=1", pairs, M).finish.sum(), "opt": found.optimum_at_most}


def priority_trap_case2(L):
    found = short_outputs(L)
    narrow, wide = int((found.trace.output == L).sum()), int((found.trace.output == 1).sum())
    total = simulate(found.trace, "mc-sf", rounds(capacity=found.capacity, rounds_per_s=1)).finish.sum()
    return {
        "M": found.capacity,
        "N": narrow,
        "K": wide,
        "short_first_total": total,
        "opt_upper": found.optimum_at_most,
    }


def adversary(M, alg_start, rule):
    def run(trace):
        return simulate(trace, "mc-sf", rounds(capacity=M, rounds_per_s=1)).finish

    found = square_root(run, M)
    total = (run(found.trace) - found.trace.arrival).sum()
    return {
        "L": math.isqrt(M) // 2,
        "release": found.trace.arrival[1],
        "n": len(found.trace),
        "mcsf_tel": total,
        "opt_upper": found.optimum_at_most,
    }


def fluid_of(d0, d1, types):
    found = fluid(Types.of([tuple(kind) for kind in types]), LinearStep(d0, d1))
    return {
        "M_star": found.memory,
        "n_star": found.per_stage.tolist(),
        "dT": found.step_s,
        "thpt": found.throughput,
    }


def one_unit_of_work(rate):
    return Types(*(np.array([float(x)]) for x in (rate, 1, 1, 1)))


def nested(l, bounds, n, p, zetaT_over_d0, delta, m):  # noqa: E741
    segments = Segments(np.array(bounds, float), np.full(len(bounds), float(l)), np.array([1.0, *p]))
    found = nested_memory(segments, n, zetaT_over_d0, delta, m)
    return {"M_pi": found.base, "log_term": found.log_term, "M_req": found.required}


def caps(widths, ratio, tl):
    first, each = segment_caps(widths, ratio, tl)
    return {"n1": first, "caps": each.tolist(), "caps_rounded": np.round(each).tolist()}


def rectmix_constant():
    split = (math.sqrt(149) - 11) / 2
    return {"lam": split, "constant": 72 + 4 * math.sqrt(149)}


FUNCTIONS = {
    "sps_peak": lambda s, tau, k: pipeline_peak(s, tau, k),
    "sps_kstar": lambda s, tau, M: pipeline_width(s, tau, M),
    "sps_starts": lambda n, tau, k: [pipeline_start(j, tau, k) for j in range(n)],
    "gsa": gsa,
    "gba": gba,
    "trap": trap,
    "ratio_constant": ratio_constant,
    "rect": rect,
    "response": response,
    "route": route,
    "area_greedy": area_greedy,
    "priority_trap_case2": priority_trap_case2,
    "schedule_total": lambda M, requests: {
        name: play(policy, [(1, 4)] * 13 + [(64, 1)] * 8, M).finish.sum()
        for name, policy in (("mcsf", "mc-sf"), ("svf", "svf"))
    },
    "rectmix_constant": rectmix_constant,
    "adversary": adversary,
    "optimal_tel": lambda requests, M: {"tel": bound(Trace.of(requests), M, rounds_per_s=1).upper},
    "class_budget": lambda classes, b: {
        "w": [int(s * o + o * (o + 1) / 2) for s, o in classes],
        "total": steady_memory(*zip(*classes, strict=True), b),
    },
    "W": lambda l, l_out: float(residency(l, l_out)),  # noqa: E741
    "fluid": fluid_of,
    "saturation_rate": lambda l, l_out, d1: {  # noqa: E741
        "as_printed": crossing(LinearStep(1, d1), float(residency(l, l_out)), np.inf),
        "divided_by_21": crossing(LinearStep(1, d1 / 21), float(residency(l, l_out)), np.inf),
    },
    "fluid_two_param": lambda d0W, d1W, rates: [
        fluid(one_unit_of_work(rate), LinearStep(d0W, d1W)).memory for rate in rates
    ],
    "fluid_crossing": lambda d0W, d1W, C: {
        "crossing": crossing(LinearStep(d0W, d1W), 1.0, C),
        "saturation": crossing(LinearStep(d0W, d1W), 1.0, np.inf),
    },
    "theta": lambda n, n_prev, p: {
        "theta": tail_rate(n, n_prev, p),
        "lower": 8 * (n - n_prev * p) / n_prev,
    },
    "nested_memory": nested,
    "segment_caps": caps,
}
ELSEWHERE = {"wait_deterministic", "fcfs_cascade"}  # hand-built in test_threshold.py and host/test_iterations.py


def test_every_vector_of_the_families(shared):
    vectors = json.loads((shared / "papers" / "vectors.json").read_text())["vectors"]
    mine = [v for v in vectors if v["group"] in ("gsa", "wait") or v["fn"] in ("adversary", "class_budget")]
    assert len(mine) > 50
    assert {v["fn"] for v in mine} == set(FUNCTIONS) | ELSEWHERE
    wrong = []
    for v in mine:
        if v["fn"] in ELSEWHERE:
            continue
        got, expected, tol = FUNCTIONS[v["fn"]](**v["inputs"]), v["expected"], v["tol"]
        pairs = [(got[key], expected[key]) for key in expected] if isinstance(expected, dict) else [(got, expected)]
        if not all(same(a, b, tol) for a, b in pairs):
            wrong.append((v["name"], got, expected))
    assert wrong == []


def same(got, expected, tol):
    if isinstance(expected, dict):
        return got == expected
    return np.shape(got) == np.shape(expected) and bool(np.all(np.abs(np.subtract(got, expected)) <= tol + 1e-12))
