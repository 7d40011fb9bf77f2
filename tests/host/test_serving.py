"""The serving host: vLLM's own decisions, the rounds host as its limit, and runs of every kind that end."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate
from plimsoll.errors import InputError
from plimsoll.host.serving import MODES, Serving
from plimsoll.steptime import linear, unit

EVERYBODY = str(Path(__file__).with_name("everybody.py")) + ":Everybody"
SOME = str(Path(__file__).with_name("everybody.py")) + ":EveryOther"
NOBODY = str(Path(__file__).with_name("everybody.py")) + ":Nobody"
CASES = json.loads(Path(__file__).with_name("vllm_schedule.json").read_text())["cases"]


def requests(most: int, clock: int = 12) -> st.SearchStrategy[list[tuple[int, int, int]]]:
    one = st.tuples(st.integers(0, clock), st.integers(1, most), st.integers(1, most))
    return st.lists(one, min_size=1, max_size=8).map(sorted)


def test_three_requests_by_hand():
    """Ten tokens: 3 + 2 and 2 + 3 fit beside one another; the third waits for the first."""
    trace = Trace.of([(0, 3, 2), (0, 2, 3), (1, 6, 2)])
    done = simulate(trace, "fcfs", Serving(steptime=unit(), blocks=10, block_size=1))
    assert done.start.tolist() == [0, 0, 2]
    assert done.first_token.tolist() == [1, 1, 3]
    assert done.finish.tolist() == [2, 3, 4]
    assert done.more["queueing_mean_s"] == 1 / 3  # the third from 1 to 2


def test_a_long_prompt_is_computed_in_chunks_beside_decodes():
    trace = Trace.of([(0, 4, 6), (1, 20, 1)])
    host = Serving(steptime=linear(1.0, 0.0), blocks=40, block_size=1, max_num_batched_tokens=8)
    done = simulate(trace, "fcfs", host)
    # 7 tokens a step are left beside the decode: 7 + 7 + 6.
    assert done.first_token.tolist() == [1, 4]


def test_an_eviction_keeps_tokens_and_computes_their_memory_again():
    trace = Trace.of([(0, 2, 5), (0, 2, 5)])
    done = simulate(trace, "fcfs", Serving(steptime=unit(), blocks=8, block_size=1))
    # Both hold 4 after step 3; the second gives way, and has 3 of its tokens when it starts again.
    assert done.evictions.tolist() == [0, 1]
    assert done.finish.tolist() == [5, 7]
    assert done.more["recomputed_tokens"] == 5


@pytest.mark.parametrize("number", range(len(CASES)))
def test_every_decision_is_vllms(number: int):
    """Recorded from the real scheduler and block manager."""
    case = CASES[number]
    host = Serving(
        steptime=unit(),
        blocks=case["blocks"],
        block_size=case["block_size"],
        max_num_seqs=case["max_num_seqs"],
        max_num_batched_tokens=max(case["max_num_batched_tokens"], case["max_num_seqs"]),
        watermark=case["watermark"],
    )
    done = simulate(Trace.of([tuple(row) for row in case["requests"]]), "fcfs", host)
    assert (done.finish - 1).tolist() == case["finish_step"]
    assert done.evictions.sum() == sum(len(preempted) for _, preempted, _ in case["steps"])
    assert done.more["steps"] >= len([s for s in case["steps"] if s[0]])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["fcfs:recompute=true", "svf", "mc-sf", "sjf:recompute=true", "mc-benchmark", "fcfs-reserve"]),
    st.integers(0, 12),
    requests(9),
)
def test_unit_steps_are_the_rounds_host(policy: str, spare: int, rows: list[tuple[int, int, int]]):
    """Block size 1, no limit on a step's tokens, and prompts one token longer."""
    capacity = max(s + o for _, s, o in rows) + 1 + spare  # the engine refuses by prompt + output
    model = simulate(Trace.of(rows), policy, rounds(capacity=capacity, rounds_per_s=1))
    longer = Trace.of([(a, s + 1, o) for a, s, o in rows])
    host = Serving(steptime=unit(), blocks=capacity, block_size=1, max_num_batched_tokens=1 << 30)
    engine = simulate(longer, policy, host)
    assert engine.start.tolist() == model.start.tolist()
    assert engine.first_token.tolist() == model.first_token.tolist()
    assert engine.finish.tolist() == model.finish.tolist()
    assert engine.evictions.tolist() == model.evictions.tolist()


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(MODES),
    st.sampled_from(["fcfs", "svf", "sjf", "ljf", "mc-sf:skip=true", "fcfs:watermark=0.1", EVERYBODY, SOME]),
    st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 24), st.integers(0, 3)),
    st.tuples(st.booleans(), st.booleans()),
    requests(14, 20),
)
def test_every_run_ends_whatever_the_memory(mode, policy, sizes, switches, rows):
    """Each request finishes once, tokens and blocks are conserved (checked by the host), memory is never exceeded."""
    block, sequences, budget, spare = sizes
    blocks = -(-max(s + o for _, s, o in rows) // block) + spare
    host = Serving(
        steptime=linear(0.5, 0.125), blocks=blocks, block_size=block, max_num_seqs=sequences, mode=mode,
        max_num_batched_tokens=budget, prefix_caching=switches[0], async_scheduling=switches[1],
    )  # fmt: skip
    trace = Trace.of(rows)
    done = simulate(trace, policy, host, predictor="noisy:0.5", seed=3)
    assert done.status == "ok"
    assert done.completed == len(rows)
    assert done.peak_tokens <= done.capacity
    assert (done.start >= done.arrival).all()
    assert (done.first_token > done.arrival).all()
    assert (done.finish >= done.first_token).all()
    again = simulate(trace, policy, host, predictor="noisy:0.5", seed=3)
    assert again.finish.tolist() == done.finish.tolist()


def test_too_little_memory_names_the_request():
    with pytest.raises(InputError, match="row 2, prompt 90"):
        simulate(Trace.of([(0, 10, 5), (1, 90, 20)]), "fcfs", Serving(steptime=unit(), blocks=6))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"block_size": 0}, "--block-size"),
        ({"mode": "tgi"}, "--mode"),
        ({"watermark": 1.5}, "--watermark"),
        ({"timeout_s": 0.0}, "--timeout-s"),
        ({"blocks": 0}, "--blocks"),
        ({"max_num_seqs": 0}, "--max-num-seqs"),
    ],
)
def test_bad_settings_are_refused(wrong, told):
    with pytest.raises(InputError, match=told):
        Serving(**{"steptime": "unit", "blocks": 10, **wrong})


def test_what_is_missing_is_named():
    with pytest.raises(InputError, match="--steptime"):
        simulate(Trace.of([(0, 1, 1)]), "fcfs", Serving(blocks=10))
    with pytest.raises(InputError, match="--blocks"):
        simulate(Trace.of([(0, 1, 1)]), "fcfs", Serving(steptime="unit"))


def test_event_skipping_gives_the_times_of_single_steps():
    """A policy that selects everybody forces the loop to go step by step."""
    rng = np.random.default_rng(4)
    rows = list(zip(np.sort(rng.uniform(0, 3, 40)), rng.integers(5, 200, 40), rng.integers(1, 300, 40), strict=True))
    host = Serving(gpu="a100", model="llama-2-70b", tp=2, blocks=60)
    fast, slow = simulate(Trace.of(rows), "fcfs", host), simulate(Trace.of(rows), EVERYBODY, host)
    assert fast.evictions.tolist() == slow.evictions.tolist()
    assert fast.finish == pytest.approx(slow.finish, rel=1e-9)
    assert fast.more["events"] < slow.more["events"] / 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("policy", [f"{NOBODY}:starts=0", f"{NOBODY}:starts=1"])
def test_a_policy_that_lets_nobody_start_or_run_ends_unstable(mode, policy):
    host = Serving(steptime=unit(), blocks=10, block_size=4, mode=mode)
    done = simulate(Trace.of([(0, 5, 3), (2, 5, 3)]), policy, host)
    assert done.status == "unstable"
    assert "nobody" in done.reason
    assert done.completed == 0


def test_a_policy_is_woken_and_may_order_the_queue_anew():
    """It starts nobody before time 5, then one at a time, the last first; at 7 it takes that one's memory back."""
    policy = str(Path(__file__).with_name("everybody.py")) + ":Alarm"
    done = simulate(Trace.of([(0, 2, 4), (0, 3, 4)]), policy, Serving(steptime=unit(), blocks=20, block_size=1))
    assert done.first_token.tolist() == [11, 6]
    assert done.evictions.tolist() == [0, 1]
    assert done.finish.tolist() == [14, 10]
