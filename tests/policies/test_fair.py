"""The virtual token counter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate
from plimsoll.host.serving import Serving
from plimsoll.steptime import linear


def trace_of(rows):
    """A trace of (arrival, prompt, output, client)."""
    arrival, prompt, output, client = (np.array(column) for column in zip(*rows, strict=True))
    return Trace(arrival.astype(float), prompt, output, "clients", client=client)


def by_hand(rows, capacity, prompt_weight=1.0, output_weight=2.0):
    """Finish of each request, round by round, with a queue per client: slow and plain."""
    counter, queues, running, left = {}, {}, [], 0.0
    finish, coming, t = [0] * len(rows), sorted(range(len(rows)), key=lambda i: (rows[i][0], i)), 0

    def join(i):
        client = rows[i][3]
        queue = queues.setdefault(client, [])
        if not queue:
            others = [counter[c] for c, q in queues.items() if q]
            counter[client] = max(counter.get(client, 0.0), min(others) if others else left)
        queue.append(i)
        queue.sort(key=lambda j: (rows[j][0], j))

    while coming or running or any(queues.values()):
        for slot in [r for r in running if r[1] == rows[r[0]][2]]:
            running.remove(slot)
            finish[slot[0]] = t
        while coming and rows[coming[0]][0] <= t:
            join(coming.pop(0))
        evicted = False
        while sum(rows[i][1] + tokens + 1 for i, tokens in running) > capacity:
            join(running.pop()[0])
            evicted = True
        while not evicted and any(queues.values()):
            client = min((c for c in queues if queues[c]), key=lambda c: (counter[c], c))
            i = queues[client][0]
            if sum(rows[j][1] + tokens + 1 for j, tokens in running) + rows[i][1] + 1 > capacity:
                break
            queues[client].pop(0)
            counter[client] += prompt_weight * rows[i][1]
            left = counter[client]
            running.append([i, 0])
        for slot in running:
            slot[1] += 1
            counter[rows[slot[0]][3]] += output_weight
        t += 1
    return finish


def test_a_small_client_does_not_wait_for_a_large_ones_queue():
    rows = [(0, 5, 5, 0), (0, 5, 5, 0), (0, 5, 5, 0), (1, 5, 5, 1)]
    host = rounds(capacity=10, rounds_per_s=1)
    assert simulate(trace_of(rows), "fcfs", host).finish.tolist() == [5, 10, 15, 20]
    assert simulate(trace_of(rows), "vtc", host).finish.tolist() == [5, 15, 20, 10]


def test_a_client_that_was_away_gets_no_credit():
    """Client 1 comes when client 0 was served 30 tokens' worth, is lifted to that, and from then on they take turns."""
    rows = [(0, 5, 5, 0)] * 4 + [(6, 5, 5, 1)] * 3
    result = simulate(trace_of(rows), "vtc", rounds(capacity=10, rounds_per_s=1))
    assert [rows[i][3] for i in np.argsort(result.finish)] == [0, 0, 1, 0, 1, 0, 1]


ROWS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9), st.integers(1, 10), st.integers(0, 3)), min_size=1, max_size=24
).map(sorted)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from([(1.0, 2.0), (0.0, 1.0), (3.0, 1.0)]))
def test_does_what_queues_per_client_do(rows, weights):
    result = simulate(
        trace_of(rows), f"vtc:prompt_weight={weights[0]},output_weight={weights[1]}", rounds(20, rounds_per_s=1)
    )
    assert result.finish.tolist() == by_hand(rows, 20, *weights)


@settings(max_examples=20, deadline=None)
@given(ROWS)
def test_the_same_compiled_or_not(rows):
    trace, host = trace_of(rows), rounds(capacity=20, rounds_per_s=1)
    fast, slow = (simulate(trace, "vtc", host, compiled=way) for way in (True, False))
    np.testing.assert_array_equal(fast.finish, slow.finish)


@pytest.mark.parametrize("more", [{}, {"timeout_s": 8.0}, {"max_num_batched_tokens": 8, "max_num_seqs": 4}])
@settings(max_examples=20, deadline=None)
@given(ROWS)
def test_in_the_serving_host_nobody_is_lost(more, rows):
    result = simulate(trace_of(rows), "vtc", Serving(steptime=linear(0.5, 0.1), blocks=5, block_size=4, **more))
    assert result.status == "ok"
    assert more.get("timeout_s") or result.completed == len(rows)
