"""The serving host: vLLM's own decisions, the rounds host as its limit, and runs of every kind that end."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate
from plimsoll.errors import InputError
from plimsoll.host import steps
from plimsoll.host.result import Result
from plimsoll.host.serving import MODES, Serving
from plimsoll.policy import load_policy
from plimsoll.steptime import linear, unit

EVERYBODY = str(Path(__file__).with_name("everybody.py")) + ":Everybody"
SOME = str(Path(__file__).with_name("everybody.py")) + ":EveryOther"
NOBODY = str(Path(__file__).with_name("everybody.py")) + ":Nobody"
RECORDED = ("vllm_schedule", "vllm_prefixes", "vllm_priority", "vllm_async")
CASES = {
    f"{kind}-{number}": case
    for kind in RECORDED
    for number, case in enumerate(json.loads(Path(__file__).with_name(f"{kind}.json").read_text())["cases"])
}


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
    assert done.more["queueing_p50_s"] == 0
    assert done.more["itl_mean_s"] == pytest.approx(1, rel=0.01)


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
    assert done.more["queueing_mean_s"] == 1  # the second from 3 to 5; nobody else, ever


def busy(case: dict) -> list[tuple]:
    """The recorded steps in which anything was scheduled: what is asked in vain takes no time."""
    return [tuple(step) for step in case["steps"] if step[0]]


def recorded(case: dict) -> list[tuple[int, int, int]]:
    """(request, first busy step, busy step after the last) of every attempt of the real scheduler."""
    steps, running, attempts = busy(case), {}, []
    last = {i: at for at, step in enumerate(steps) for i, _ in step[0]}
    for at, (scheduled, preempted, *_) in enumerate(steps):
        attempts += [(i, running.pop(i), at) for i in preempted if i in running]  # who finishes may be, for nothing
        for i, _ in scheduled:
            running.setdefault(i, at)
        attempts += [(i, running.pop(i), at + 1) for i in [*running] if last[i] == at]
    return sorted(attempts)


def replayed(case: dict) -> Result:
    """The same requests on a clock that counts the tokens of each step: its times tell every step's tokens apart."""
    every = np.cumsum([0, *(sum(count for _, count in step[0]) for step in case["steps"])])
    arrival = np.array([every[step] for step, _, _ in case["requests"]], float)
    prompt, output = np.array(case["requests"])[:, 1:].T
    more = {}
    if "hash_ids" in case:
        more["hash_ids"] = np.empty(len(prompt), object)
        more["hash_ids"][:] = case["hash_ids"]
    host = Serving(
        steptime=linear(0.0, 1.0),
        blocks=case["blocks"],
        block_size=case["block_size"],
        max_num_seqs=case["max_num_seqs"],
        max_num_batched_tokens=max(case["max_num_batched_tokens"], case["max_num_seqs"]),
        watermark=case["watermark"],
        async_scheduling="vllm_async" in case["kind"],
    )
    policy = "svf:engine=1" if "priority" in case["kind"] else "fcfs"
    return simulate(Trace(arrival, prompt, output, more=more), policy, host)


def idles(case: dict) -> bool:
    """True if running requests sit out a step: under vLLM's priorities those behind one that preempts itself do."""
    if any(preempted and not scheduled for scheduled, preempted, *_ in case["steps"]):
        return True
    attempts = recorded(case)
    return any(
        begun < at < ended and i not in dict(scheduled)
        for at, (scheduled, preempted, *_) in enumerate(busy(case))
        if preempted
        for i, begun, ended in attempts
    )


@pytest.mark.parametrize("name", CASES)
def test_every_step_is_vllms(name: str):
    """Recorded from the real scheduler and block manager: who starts, is preempted and finishes when."""
    case = CASES[name] | {"kind": name}
    done, attempts = replayed(case), recorded(case)
    if "priority" in name and idles(case):  # here they go on, as under the plug-in
        assert done.evictions.sum() == sum(len(preempted) for _, preempted, *_ in case["steps"])
        return
    tokens = np.cumsum([0, *(sum(count for _, count in step[0]) for step in busy(case))])
    begun, ended = {i: b for i, b, _ in attempts}, {i: e for i, _, e in attempts}
    ids = range(len(done))
    assert done.start.tolist() == [tokens[begun[i]] for i in ids]
    assert done.finish.tolist() == [tokens[ended[i]] for i in ids]
    assert done.evictions.tolist() == [sum(j == i for j, _, _ in attempts) - 1 for i in ids]
    if "first_step" in case:
        assert done.more["cached_tokens"] == case["cached_tokens"]


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


def test_thousands_of_tiny_engines_finish():
    """Memory for the largest request and hardly more, in every mode; the host asserts that nothing is lost."""
    rng = np.random.default_rng(11)
    policies = [load_policy(name) for name in ("fcfs", "svf:engine=1", "ljf", "mc-sf", "load-line")]
    for _ in range(3000):
        n, block = int(rng.integers(1, 9)), int(rng.integers(1, 6))
        trace = Trace(np.sort(rng.uniform(0, 9, n)), rng.integers(1, 15, n), rng.integers(1, 15, n))
        host = Serving(
            steptime=linear(0.5, 0.125), blocks=int(-(-trace.peak.max() // block) + rng.integers(0, 3)),
            block_size=block, max_num_seqs=int(rng.integers(1, 7)), max_num_batched_tokens=int(rng.integers(1, 25)),
            mode=str(rng.choice(MODES)), watermark=float(rng.choice([0, 0.2])), prefix_caching=bool(rng.integers(2)),
            async_scheduling=bool(rng.integers(2)),
        )  # fmt: skip
        done = simulate(trace, policies[rng.integers(len(policies))], host, "noisy:0.5", seed=int(rng.integers(99)))
        assert (done.status, done.completed) == ("ok", n), (trace.prompt, trace.output, host)
        assert done.peak_tokens <= done.capacity


def test_the_loop_s_seconds_count_no_compiling(monkeypatch):
    clock = [0.0]
    ready = steps.run.native

    def slowly():
        clock[0] += 60.0
        return ready()

    monkeypatch.setitem(steps.run.__dict__, "native", slowly)
    monkeypatch.setattr("plimsoll.host.serving.time.perf_counter", lambda: clock[0])
    done = simulate(Trace.of([(0, 3, 2)]), "fcfs", Serving(steptime=unit(), blocks=10))
    assert clock[0] == 60.0
    assert done.wall_s == 0.0


def test_a_price_and_its_absence():
    trace = Trace.of([(0, 100, 50)])
    listed = simulate(trace, "fcfs", Serving(gpu="h100", model="llama-3.1-8b")).more
    dear = simulate(trace, "fcfs", Serving(gpu="h100", model="llama-3.1-8b", price_per_hour=30.0)).more
    assert dear["cost_usd"] == pytest.approx(10 * listed["cost_usd"])
    assert dear["energy_j"] == listed["energy_j"] == pytest.approx(700 * listed["busy_s"])
    assert "cost_usd" not in simulate(trace, "fcfs", Serving(steptime="unit", blocks=20)).more


def test_an_engine_says_what_its_answers_stand_on():
    assert Serving(gpu="rtx-4090", model="llama-3.1-8b").basis.startswith(
        "llama-3.1-8b on rtx-4090, fitted: LLMServing"
    )
    assert "datasheet" in Serving(gpu="h200", model="llama-3.1-8b").basis
    assert "datasheet" in Serving(gpu="rtx-4090", model="llama-3.1-8b", dtype="fp8").basis
    assert Serving(steptime="unit", blocks=5).basis == "unit, exact: one second a step"


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
        ({"price_per_hour": -1.0}, "--price-per-hour"),
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
