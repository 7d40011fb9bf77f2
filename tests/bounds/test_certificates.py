"""Every theorem on hundreds of random instances for each policy, some four thousand in all."""

import numpy as np
import pytest

from plimsoll import Trace, rounds, simulate
from plimsoll.bounds.certify import certify
from plimsoll.host.iterations import Iterations
from plimsoll.policy import load_policy
from plimsoll.policy.fluid import LinearStep

EACH = 200


def size(rng):
    """A capacity and a number of requests, both small often enough to meet the corners."""
    return int(rng.choice([4, 9, 16, 40, 100, 300])), int(rng.integers(1, 25))


def anything(rng):
    capacity, n = size(rng)
    prompt = rng.integers(1, capacity, n)
    return capacity, prompt, rng.integers(1, capacity - prompt + 1)


def small(rng):
    """Requests of less than the capacity: a theorem that grows with 1/(1 − α) then says something."""
    capacity, n = size(rng)
    prompt = rng.integers(0, capacity // 2, n)
    return capacity, prompt, rng.integers(1, capacity // 2 + 1, n)


def equal(rng):
    capacity, n = size(rng)
    prompt = np.full(n, rng.integers(0, capacity // 2))
    longest = rng.integers(1, capacity - prompt[0])
    return capacity, prompt, rng.integers(1, longest + 1, n)


def large(rng):
    capacity, n = size(rng)
    prompt = rng.integers(capacity // 4 + 1, capacity, n)
    return capacity, prompt, rng.integers(1, capacity - prompt + 1)


def prompt_heavy(rng):
    capacity, n = size(rng)
    prompt = rng.integers(1, capacity // 4 + 1, n)
    return capacity, prompt, rng.integers(1, prompt + 1)


def response_heavy(rng):
    capacity, n = size(rng)
    output = rng.integers(2, capacity, n)
    prompt = rng.integers(1, np.maximum(2, np.minimum(output, capacity - output + 1)))
    return capacity, prompt, np.maximum(np.minimum(output, capacity - prompt), prompt + 1)


def bounded(rng):
    capacity, n = size(rng)
    prompt = rng.integers(1, capacity, n)
    return capacity, prompt, rng.integers(1, np.minimum(capacity - prompt, 30) + 1)


BURSTS = {
    "svf": small,
    "svf:reserve=1": small,
    "mc-sf": equal,
    "gsa": equal,
    "gsa:growth=1.7676": equal,
    "gsa-d:first=3": equal,
    "gsa-spec:first=4": equal,
    "gba": equal,
    "gba:growth=1.3333": equal,
    "gba-d": equal,
    "rect": prompt_heavy,
    "rect:cutoff=0.25": large,
    "rect:longest=30": bounded,
    "rect-mix:longest=30": bounded,
    "response": response_heavy,
    "route": anything,
    "clairvoyant-mix": anything,
    "pack-and-schedule": anything,
}


@pytest.mark.parametrize("policy", BURSTS)
def test_a_theorem_holds_on_every_instance(policy):
    rng, loaded, tight = np.random.default_rng(7), load_policy(policy), np.inf
    for _ in range(EACH):
        capacity, prompt, output = BURSTS[policy](rng)
        trace = Trace(np.zeros(len(prompt)), prompt, output)
        result = simulate(trace, loaded, rounds(capacity=capacity, rounds_per_s=1))
        found = certify(loaded, result)
        assert [(c, capacity, prompt, output) for c in found if not c.holds] == []
        tight = min(tight, *(c.slack / max(1.0, result.finish.sum()) for c in found))
    assert 0 <= tight + 1e-9 < 10  # instances were met, and the bounds are of the size of what they bound


@pytest.mark.parametrize("policy", ["wait:threshold=1,types=2", "wait:share=0.7", "wait:threshold=0.3"])
def test_wait_keeps_below_its_memory_on_every_instance(policy):
    rng, loaded = np.random.default_rng(8), load_policy(policy)
    for _ in range(EACH):
        n = int(rng.integers(1, 30))
        prompt, output = rng.choice([1, 5, 20], n), rng.choice([1, 3, 10], n)
        trace = Trace(np.sort(rng.uniform(0, 40, n)), prompt, output)
        result = simulate(trace, loaded, Iterations(2000, LinearStep(0.5, 1e-3)))
        assert result.completed == n
        assert [(c, trace) for c in certify(loaded, result) if not c.holds] == []
