"""Fleets: one replica is the plain host, requests are conserved, routers choose as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.bounds.serving import serving_bound
from plimsoll.errors import CapacityError, InputError
from plimsoll.fleet.fleet import Fleet
from plimsoll.fleet.routers import ROUTERS
from plimsoll.host.serving import Serving
from plimsoll.simulation import simulate
from plimsoll.source import read_trace
from plimsoll.trace import Trace

OPEN = [name for name in ROUTERS if name not in ("sticky", "prefix")]
COLUMNS = ("arrival", "start", "first_token", "finish", "evictions", "attempts", "predicted")


def unit(blocks=24, **options):
    """Steps of a second, blocks of a token."""
    return Serving(**{"steptime": "unit", "blocks": blocks, "block_size": 1} | options)


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in COLUMNS)


def drawn(seed, requests=300, gap=1.0):
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(gap, requests))
    return Trace(arrival, rng.integers(1, 9, requests), rng.integers(1, 9, requests))


@pytest.mark.parametrize("router", OPEN)
@pytest.mark.parametrize("policy", ["fcfs", "svf", "load-line"])
def test_one_replica_is_the_plain_host(router, policy):
    trace, host = drawn(1), unit()
    alone = simulate(trace, policy, host, "noisy:0.3", seed=7)
    fleet = simulate(trace, policy, Fleet([host], router), "noisy:0.3", seed=7)
    assert same(alone, fleet)
    assert alone.more == fleet.more
    assert (alone.peak_tokens, alone.mean_memory_use) == (fleet.peak_tokens, fleet.mean_memory_use)
    assert alone.evictions.sum() > 0 or policy != "fcfs"


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 9999), st.sampled_from(OPEN), st.sampled_from(["fcfs", "svf", "load-line"]), st.integers(17, 40),
    st.sampled_from([1, 2, 4]), st.sampled_from(["exact", "noisy:0.5", "law"]),
)  # fmt: skip
def test_a_fleet_of_any_one_replica_is_that_host(seed, router, policy, tokens, block, predictor):
    trace, host = drawn(seed, 40, gap=0.5), unit(2 * tokens // block, block_size=block)
    alone = simulate(trace, policy, host, predictor, seed=seed)
    fleet = simulate(trace, policy, Fleet([host], router), predictor, seed=seed)
    assert same(alone, fleet)
    assert alone.more == fleet.more


@pytest.mark.parametrize(
    "options",
    [
        {"async_scheduling": True},
        {"mode": "vllm-v0"},
        {"mode": "sarathi"},
        {"mode": "orca"},
        {"mode": "static"},
        {"block_size": 4, "blocks": 7, "steptime": "linear:0.5:0.01"},
        {"max_num_seqs": 2, "timeout_s": 30.0},
        {"max_num_batched_tokens": 3},
    ],
)
def test_one_replica_is_the_plain_host_in_every_mode(options):
    trace, host = drawn(2), unit(**options)
    assert same(simulate(trace, "fcfs", host), simulate(trace, "fcfs", Fleet([host], "least-requests")))


def test_compiled_is_plain_python():
    trace, fleet = drawn(3, 60), Fleet([unit(), unit(40), unit()], "matching")
    assert same(simulate(trace, "svf", fleet), simulate(trace, "svf", fleet, compiled=False))


def test_closed_sessions_stay_where_they_began():
    trace = Trace(
        np.array([0.0, 5, 0, 4, 0, 9]), np.full(6, 3), np.full(6, 4), session=np.array([0, 0, 1, 1, 2, 2])
    )  # fmt: skip
    host = unit(closed_loop=True)
    assert same(simulate(trace, "fcfs", host), simulate(trace, "fcfs", Fleet([host], "least-requests")))
    for router in ("least-requests", "round-robin", "sticky"):
        done = simulate(trace, "fcfs", Fleet([host] * 3, router))
        assert done.completed == 6
        assert done.replica[0::2].tolist() == done.replica[1::2].tolist()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.sampled_from(OPEN), st.integers(1, 5), st.sampled_from(["fcfs", "svf"]))
def test_every_request_is_served_once_where_it_fits(seed, router, count, policy):
    trace = drawn(seed, 60, gap=0.5)
    fleet = Fleet([unit(12 + 8 * k) for k in range(count)], router)
    trace, _ = trace.fitting(fleet.largest, drop=True)
    done = simulate(trace, policy, fleet, seed=seed)
    rooms = np.array([each.capacity for each in fleet.replicas])
    assert done.completed == len(trace)
    assert (trace.peak <= rooms[done.replica]).all()
    assert (done.start >= done.arrival).all() and (done.latency >= trace.output - 1e-9).all()
    ends = done.attempts[np.lexsort((done.attempts[:, 2], done.attempts[:, 0]))]
    assert set(ends[:, 0]) == set(range(len(trace)))
    assert done.latency.sum() >= serving_bound(trace, fleet.replicas) - 1e-9


def test_round_robin_takes_turns_and_least_requests_the_emptiest():
    trace = Trace.of([(0, 1, 9), (0.5, 1, 1), (1.6, 1, 9), (4.5, 1, 1)])
    turns = simulate(trace, "fcfs", Fleet([unit(), unit()], "round-robin"))
    assert turns.replica.tolist() == [0, 1, 0, 1]
    fewest = simulate(trace, "fcfs", Fleet([unit(), unit()], "least-requests"))
    assert fewest.replica.tolist() == [0, 1, 1, 0]


def test_least_kv_and_least_work_see_sizes_where_least_requests_does_not():
    """One request of 20 tokens' prompt here, two small ones there: the third small one follows the smaller load."""
    trace = Trace.of([(0, 20, 9), (0.1, 1, 9), (0.2, 1, 9), (0.3, 1, 9)])
    for router, where in (("least-requests", [0, 1, 0, 1]), ("least-kv", [0, 1, 1, 1]), ("least-work", [0, 1, 1, 1])):
        done = simulate(trace, "fcfs", Fleet([unit(60), unit(60)], router))
        assert done.replica.tolist() == where, router


def test_sticky_and_prefix():
    n = 40
    base = {"arrival": np.arange(n) * 1.0, "prompt": np.full(n, 4), "output": np.full(n, 2)}
    trace = Trace(**base, client=np.arange(n) % 5)
    done = simulate(trace, "fcfs", Fleet([unit()] * 3, "sticky"))
    assert all(len(set(done.replica[trace.client == who])) == 1 for who in range(5))
    with pytest.raises(InputError, match="sticky needs a column session or client"):
        simulate(Trace(**base), "fcfs", Fleet([unit()] * 3, "sticky"))
    heads = np.empty(n, object)
    heads[:] = [[k % 4, 100 + k] for k in range(n)]
    alike = Trace(**base, more={"hash_ids": heads})
    done = simulate(alike, "fcfs", Fleet([unit()] * 3, "prefix"))
    assert all(len(set(done.replica[k::4])) == 1 for k in range(4))
    with pytest.raises(InputError, match="prefix needs a column hash_ids"):
        simulate(Trace(**base), "fcfs", Fleet([unit()] * 3, "prefix"))


def test_caches_are_each_replicas_own():
    n = 30
    heads = np.empty(n, object)
    heads[:] = [[k % 3, 100 + k] for k in range(n)]
    trace = Trace(np.arange(n) * 9.0, np.full(n, 8), np.full(n, 2), more={"hash_ids": heads})
    host = unit(64, block_size=2)
    for router in ("least-requests", "round-robin"):
        assert same(simulate(trace, "fcfs", host), simulate(trace, "fcfs", Fleet([host], router)))
    hits = [simulate(trace, "fcfs", Fleet([host] * 3, r)).more["cached_tokens"] for r in ("prefix", "random")]
    assert hits[0] > hits[1] > 0


def test_unlike_replicas_the_router_that_knows_sends_to_the_fast_one():
    trace = read_trace("azure-conv", requests=500, rate=14).fitting(20_000, drop=True)[0]
    rtx = Serving(gpu="rtx-4090", model="llama-3.1-8b")
    fleet = (rtx, Serving(gpu="h100", model="llama-3.1-8b"), rtx)
    mean = {
        r: simulate(trace, "svf", Fleet(fleet, r)).latency.mean() for r in ("round-robin", "least-work", "matching")
    }
    assert mean["matching"] < mean["least-work"] < mean["round-robin"]


def test_figures_of_the_fleet_are_sums():
    trace = read_trace("azure-conv", requests=200).fitting(20_000, drop=True)[0]
    rtx = Serving(gpu="rtx-4090", model="llama-3.1-8b")
    done = simulate(trace, "fcfs", Fleet([rtx] * 4, "least-kv"))
    length = done.finish.max() - done.arrival.min()
    assert done.capacity == 4 * rtx.capacity
    assert done.more["cost_usd"] == pytest.approx(4 * 0.7 * length / 3600)
    assert 4 * 25 * length < done.more["energy_j"] < 4 * 450 * length
    assert done.more["imbalance"] >= 1


def test_bad_fleets():
    with pytest.raises(InputError, match="at least one replica"):
        Fleet([])
    with pytest.raises(InputError, match="router nearest: unknown"):
        Fleet([unit()], "nearest")
    with pytest.raises(InputError, match="must agree on timeout_s"):
        Fleet([unit(), unit(timeout_s=3.0)])
    with pytest.raises(InputError, match="one block size"):
        simulate(drawn(1), "fcfs", Fleet([unit(), unit(block_size=2)], "least-kv"))
    with pytest.raises(CapacityError, match="can never fit in 12 tokens"):
        simulate(Trace.of([(0, 9, 9)]), "fcfs", Fleet([unit(12), unit(10)]))
    with pytest.raises(InputError, match="plans all requests of a replica ahead"):
        simulate(drawn(1), "wait", Fleet([unit(), unit()], "least-kv"))
    with pytest.raises(InputError, match="does not see clients that give up"):
        simulate(drawn(1), "fcfs", Fleet([unit(timeout_s=9.0)] * 2, "least-kv"))
