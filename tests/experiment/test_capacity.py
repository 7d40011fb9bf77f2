"""The search for what a server bears, on instances whose edge is known."""

import json

import numpy as np
import pytest

from plimsoll.errors import InputError
from plimsoll.experiment.capacity import AXES, Edge, Search, Tried, find, parts, try_gpus
from plimsoll.experiment.confidence import interval
from plimsoll.experiment.objective import Objective
from plimsoll.experiment.setting import Setting
from plimsoll.trace import Trace
from tests.cli.test_run import plimsoll


def one_at_a_time(tmp_path, gap=5.0, requests=8):
    """Requests of prompt 4 and output 3, evenly apart."""
    file = tmp_path / "even.csv"
    rows = [f"{gap * k},4,3" for k in range(requests)]
    file.write_text("\n".join(["arrival_s,prompt_tokens,output_tokens", *rows]))
    return str(file)


def search(trace, *slo, axis="rate", replications=1, **setting):
    given = Setting(trace, **{"rounds_per_s": 1.0, **setting})
    return Search(given, [Objective.of(text) for text in slo], AXES[axis], replications)


def test_the_highest_rate_of_one_request_at_a_time(tmp_path):
    """Memory for one; each takes 3 rounds, so nobody waits while they come at least 3 rounds apart."""
    edges, fluid = find(search(one_at_a_time(tmp_path), "max_latency<=3", capacity=7), ["fcfs"])
    assert 1 / 3 / 1.02 <= edges[0].value.mean <= 1 / 3
    assert fluid == pytest.approx(7 / (4 * (4 + 1.5)))  # W = (o + 1)(s + o/2)
    assert not edges[0].broken


def test_the_least_memory_for_two_at_once(tmp_path):
    file = tmp_path / "two.csv"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n0,4,3\n0,4,3\n40,4,3\n40,4,3\n")
    edges, _ = find(search(str(file), "max_latency<=3", axis="memory"), ["fcfs", "svf"])
    assert [edge.value.mean for edge in edges] == [14, 14]
    edges, _ = find(search(str(file), "max_latency<=6", axis="memory"), ["svf"])
    assert edges[0].value.mean == 7


def test_replications_of_a_file_are_its_parts(tmp_path):
    pieces = parts(Trace.of([(0, 1, 1), (2, 2, 1), (5, 3, 1), (9, 4, 1)]), 2)
    assert [p.arrival.tolist() for p in pieces] == [[0, 2], [0, 4]]
    edges, _ = find(search(one_at_a_time(tmp_path), "max_latency<=3", capacity=7, replications=2), ["fcfs"])
    assert len(edges[0].edges) == 2
    with pytest.raises(InputError, match="8 requests are too few for 5 replications"):
        find(search(one_at_a_time(tmp_path), "max_latency<=3", capacity=7, replications=5), ["fcfs"])


def test_all_policies_see_the_same_requests():
    """Common random numbers: two names of one policy have the same edge in every replication."""
    looked = search("azure-conv", "mean_latency<=250", requests=300, rounds_per_s=20.0, replications=3)
    edges, _ = find(looked, ["fcfs", "fcfs:watermark=0"])
    assert edges[0].edges == edges[1].edges
    assert edges[1].over(edges[0]) == (1, 1, 1)
    assert len(set(edges[0].edges)) > 1
    first = edges[0].frontier()
    assert all(kept in (0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1) for _, kept, _ in first)


def test_the_fewest_replicas_for_three_at_once(tmp_path):
    """Each has memory for one request of three steps; three come together, and none may wait."""
    file = tmp_path / "three.csv"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n" + "0,4,3\n" * 3 + "40,4,3\n" * 3)
    server = {"host": "serving", "steptime": "unit", "blocks": 7, "block_size": 1}
    edges, _ = find(search(str(file), "max_latency<=3", axis="replicas", **server), ["fcfs"])
    assert edges[0].value.mean == 3
    edges, _ = find(search(str(file), "max_latency<=6", axis="replicas", **server, router="round-robin"), ["fcfs"])
    assert edges[0].value.mean == 2


def tried(*points):
    return {(at, 0): Tried((0.0,), met, None, None) for at, met in points}


def test_what_is_not_monotone_is_said_and_not_counted():
    edge = Edge("p", "exact", AXES["rate"], tried((1, True), (2, False), (3, True), (4, False)))
    edge.settle(1)
    assert (edge.edges, edge.broken) == ([1], [(2, 0)])
    memory = Edge("p", "exact", AXES["memory"], tried((1, False), (2, True), (3, False), (4, True)))
    memory.settle(1)
    assert (memory.edges, memory.broken) == ([4], [(3, 0)])


def test_what_is_never_too_much_has_no_edge(tmp_path):
    """Eight requests of three rounds each: the last is done after 24 however fast they come."""
    edges, _ = find(search(one_at_a_time(tmp_path), "max_latency<=24", capacity=7), ["fcfs", "svf"])
    assert [edge.edges for edge in edges] == [[np.inf], [np.inf]]
    told = plimsoll(
        *("capacity", one_at_a_time(tmp_path), "--policies", "fcfs", "--capacity", 7, "--rounds-per-s", 1),
        *("--slo", "max_latency<=24", "--replications", 1),
    ).stdout
    assert " any " in told
    assert "fcfs keeps them at every rate tried" in told


def test_an_objective_that_cannot_be_kept_names_what_binds(tmp_path):
    even = one_at_a_time(tmp_path)
    with pytest.raises(InputError, match=r"at .* it is 3 with fcfs; what binds is the steps of a request that has"):
        find(search(even, "max_latency<=2", capacity=7), ["fcfs"])
    charged = {"prefill": "charged", "steptime": "linear:1:0.0001", "capacity": 700}
    with pytest.raises(InputError, match="what binds is the waiting of wait:threshold=20 itself, for fcfs keeps them"):
        find(search(even, "max_latency<=4.003", **charged), ["wait:threshold=20"])
    file = tmp_path / "pairs.csv"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n0,4,3\n0,4,3\n40,4,3\n40,4,3\n")
    with pytest.raises(InputError, match="what binds is requests that come at the same instant"):
        find(search(str(file), "max_latency<=3", capacity=7), ["fcfs"])
    with pytest.raises(InputError, match=r"max_latency<=2 and max_tpot<=0.5 cannot .* they are 3 and 1 with"):
        find(search(even, "max_latency<=2", "max_tpot<=0.5", capacity=7), ["fcfs"])


def test_the_interval_is_students():
    assert interval([1.0, 3.0]) == pytest.approx((2, 2 - 12.706, 2 + 12.706))
    assert interval([2.0]) == (2, -np.inf, np.inf)


def test_gpus_that_keep_the_objectives_come_first_the_cheapest_first():
    looked = search("azure-conv", "p99_tpot<=0.03", axis="gpu", requests=60, rate=1.0, model="qwen3-32b")
    found = try_gpus(looked, "fcfs")
    assert {f.gpu for f in found if not f.tried} == {"rtx-4090", "l40s"}
    kept = [f for f in found if f.met]
    assert kept and kept == found[: len(kept)]
    assert all(t.cost_usd > 0 and t.energy_j > 0 for f in kept for t in f.tried)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--slo", "p99_ttfx<=2"), "must be STATISTIC_FIGURE<=LIMIT"),
        (("--slo", "max_latency<=0"), "a limit above 0"),
        (("--slo", "max_latency<=3", "--vary", "colour"), "--vary must be one of rate, memory, replicas, gpu"),
        (("--slo", "max_latency<=3", "--rate", "1"), "--rate is what is looked for"),
        (("--slo", "max_latency<=3", "--replications", "0"), "--replications must be at least 1"),
        (
            ("--slo", "max_latency<=2"),
            "cannot be kept at any load; at 0.000155 requests/s it is 3 with fcfs; what",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path, words, told):
    file = one_at_a_time(tmp_path)
    done = plimsoll(
        *("capacity", file, "--policies", "fcfs", "--capacity", 7, "--rounds-per-s", 1),
        *(() if "--replications" in words else ("--replications", 1)), *words, rc=2,
    )  # fmt: skip
    assert told in done.stderr and done.stderr.count("\n") == 1


def test_json(tmp_path):
    words = ("--slo", "max_latency<=3", "--capacity", 7, "--rounds-per-s", 1, "--replications", 1, "--json")
    told = json.loads(plimsoll("capacity", one_at_a_time(tmp_path), "--policies", "fcfs", *words).stdout)
    assert list(told) == ["schema", "trace", "vary", "unit", "objectives", "replications", "fluid", "policies"]
    (policy,) = told["policies"]
    assert policy["monotone"] and policy["edge"]["low"] is None
    assert policy["frontier"][0]["kept"] == 1.0
