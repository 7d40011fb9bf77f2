"""Whole traces of sessions and of shared prefixes through the serving host."""

import numpy as np
import pytest

from plimsoll import Trace, read_trace, simulate
from plimsoll.host.result import Result
from plimsoll.host.serving import Serving
from plimsoll.host.turns import turns_of

pytestmark = pytest.mark.shared


def served(trace: Trace, host: Serving) -> Result:
    """The run; the host itself asserts that tokens and blocks are conserved."""
    done = simulate(trace, "fcfs", host)
    assert (done.status, done.completed) == ("ok", len(trace))
    assert (done.first_token > done.arrival).all() and (done.finish >= done.first_token).all()
    assert done.peak_tokens <= host.capacity
    return done


def reused(trace: Trace, unit: int) -> int:
    """Prompt tokens in runs of ``unit`` that an earlier request had as well: what an endless cache would find."""
    known: set[int] = set()
    found = 0
    for prompt, ids in zip(trace.prompt.tolist(), trace.more["hash_ids"], strict=True):
        shared = 0
        while shared < len(ids) and ids[shared] in known:
            shared += 1
        found += min(shared * unit, prompt - 1)
        known.update(ids)
    return found


def test_coding_sessions_go_turn_by_turn(shared):
    trace = read_trace(shared / "traces" / "agentic_coding_sessions.parquet", drop_empty=True)
    host = Serving(gpu="h200", model="llama-3.1-70b", tp=8, max_num_batched_tokens=8192, closed_loop=True)
    done = served(trace, host)
    assert len(trace) == 46_191
    turns = turns_of(trace, True)
    earlier = np.flatnonzero(turns.follows >= 0)
    later = turns.follows[earlier]
    assert len(earlier) > 45_000
    assert done.arrival[later] == pytest.approx(done.finish[earlier] + turns.think[later])
    told = int(trace.more["prefix_hit_tokens"].sum())
    assert 0 < done.more["cached_tokens"] < told


def test_mooncake_finds_no_more_than_its_prompts_share(shared):
    trace = read_trace(shared / "traces" / "mooncake_fast25_conversation.parquet")
    most = reused(trace, 512)
    tight = served(trace, Serving(gpu="h100", model="llama-3.1-8b", max_num_batched_tokens=8192))
    endless = served(trace, Serving(gpu="h100", model="llama-3.1-8b", max_num_batched_tokens=8192, blocks=20_000_000))
    assert 0 < tight.more["cached_tokens"] < endless.more["cached_tokens"] <= most
    assert endless.more["cached_tokens"] > 0.9 * most
    assert endless.latency.mean() < tight.latency.mean()
