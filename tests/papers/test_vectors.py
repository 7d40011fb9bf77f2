"""The verified numbers beside the papers' specifications, where they are at hand; tests/policies retypes them."""

import json

import numpy as np
import pytest

from plimsoll import Trace, rounds, simulate
from plimsoll.bounds import area
from plimsoll.bounds.poisson import poisson_ratio
from plimsoll.bounds.solve import bound
from plimsoll.errors import InputError
from plimsoll.policy import volume
from plimsoll.predict import bit
from plimsoll.predict.error import Exact

NAMES = {"mcsf": "mc-sf", "svf": "svf"}


class Says:
    """A predictor that says what it is told."""

    def __init__(self, predicted):
        self.predicted = np.array(predicted)

    def plan(self, trace, rng):
        return Exact().plan(trace, rng)._replace(predicted=self.predicted, lower=None, upper=None)


def play(requests, policy, capacity, predictor="exact", **more):
    trace = Trace.of([tuple(r) for r in requests])
    return simulate(trace, policy, rounds(capacity=capacity, rounds_per_s=1, **more), predictor)


def usage(result):
    use = np.zeros(int(result.finish.max()), np.int64)
    for i, start, stop, kept in result.attempts.tolist():
        use[start:stop] += result.prompt[i] + kept + np.arange(1, stop - start + 1)
    return use.tolist()


def schedule(rule, requests, M, pred=None):
    result = play(requests, NAMES[rule], M, "exact" if pred is None else Says(pred))
    return {"starts": result.start.tolist(), "tel": result.latency.sum(), "usage": usage(result)}


def usage_profile(s, o, start):
    result = play([[start, s, o]], "mc-sf", s + o)
    return {str(start + u): use for u, use in enumerate(usage(result)[start:], 1)}


def schedule_total(M, requests):
    assert requests == "(1,4) x13, (64,1) x8"
    jobs = [[0, 1, 4]] * 13 + [[0, 64, 1]] * 8
    return {rule: play(jobs, name, M).latency.sum() for rule, name in NAMES.items()}


def area_greedy(jobs, M):
    assert jobs == "(1,100) x1, (1000000,1) x10"
    return {"total": play([[0, 1, 100]] + [[0, 10**6, 1]] * 10, "svf:reserve=1", M).latency.sum()}


def clear_all(requests, M, alpha, rounds):
    result = play(requests, f"alpha-protection:alpha={alpha}", M, max_rounds=rounds - 1)
    told = {"finished": result.completed, "clearings": result.more["overflows"]}
    return told | ({"completions": result.finish.tolist()} if result.completed == len(result) else {})


def lower_bounds(requests, M):
    a, s, o = np.array(requests, np.int64).T
    return {name: getattr(area, name)(a, s, o, M) for name in ("area", "processing", "combined")}


def burst_proxies(T):
    short, long = bit.burst(float(T))
    return {"theta": T**0.5, "O0": short, "O1": long}


def poisson_proxies(mu, theta):
    short, long = bit.geometric(1 / mu, theta)
    stay = (1 - mu) ** theta
    return {"O0": short, "O1": long, "eps": 0.5 * (theta * stay / (1 - stay)) ** 2}


def svf_poisson(mu, mean_s, alpha, M, lam, theta):
    found = poisson_ratio(lam, mu, mean_s, alpha, M, theta)
    return {
        "mean_vol": found.mean_volume,
        "rho": found.load,
        "W0": found.residual,
        "opt_area": found.opt_area,
        "opt_proc": found.opt_processing,
        "cr_svf": found.svf,
        "cr_onebit": found.one_bit,
    }


def priorities(T, requests):
    proxies = bit.burst(float(T))
    keys = [volume(float(r["s"]), float(proxies[r["bit"]])) for r in requests]
    return {"priorities": keys, "order": np.argsort(keys, kind="mergesort").tolist()}


FUNCTIONS = {
    "vol": lambda s, o: volume(float(s), float(o)),
    "usage_profile": usage_profile,
    "schedule": schedule,
    "schedule_total": schedule_total,
    "area_greedy": area_greedy,
    "alpha_protection_clear_all": clear_all,
    "lower_bounds": lower_bounds,
    "svf_cr": lambda alpha: 1 + 2 / (1 - alpha),
    "onebit_burst_params": burst_proxies,
    "onebit_poisson_params": poisson_proxies,
    "onebit_priority": priorities,
    "optimal_tel": lambda requests, M: {"tel": bound(Trace.of(requests), M, rounds_per_s=1).upper},
    "svf_poisson": svf_poisson,
}


@pytest.mark.shared
def test_every_vector_of_the_classic_families(shared):
    vectors = json.loads((shared / "papers" / "vectors.json").read_text())["vectors"]
    mine = [v for v in vectors if v["fn"] in FUNCTIONS]
    assert len(mine) >= 32
    for v in mine:
        got, expected, tolerance = FUNCTIONS[v["fn"]](**v["inputs"]), v["expected"], v["tol"]
        if not isinstance(expected, dict):
            got, expected = {"": got}, {"": expected}
        for key in expected.keys() & got.keys() or ["no such key"]:
            assert got[key] == pytest.approx(expected[key], rel=0, abs=tolerance), (v["name"], key)


@pytest.mark.shared
def test_no_vector_is_left_out(shared):
    """Each is checked here, with the other families, or as a run built by hand."""
    from . import test_families as families

    vectors = json.loads((shared / "papers" / "vectors.json").read_text())["vectors"]
    assert {v["fn"] for v in vectors} <= {*FUNCTIONS, *families.FUNCTIONS, *families.ELSEWHERE}


def test_the_poisson_theorem_refuses_what_it_does_not_cover():
    with pytest.raises(InputError, match=r"the load is 1.333; the ratio holds below 1: at less than 1.8 a round"):
        poisson_ratio(2.4, 0.02, 50, 0.1, 20_000, 50)
    with pytest.raises(InputError, match="0 < stop < 1"):
        poisson_ratio(0.1, 0, 50, 0.1, 20_000, 50)
