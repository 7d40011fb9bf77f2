"""Prefix caching: what requests find of one another, and of their own past."""

import numpy as np
import pytest

from plimsoll import Trace, simulate
from plimsoll.host.serving import Serving
from plimsoll.steptime import linear

HOST = {"steptime": linear(1.0, 0.0), "block_size": 4, "max_num_seqs": 8, "max_num_batched_tokens": 1000}


def lists(*rows: list[int]) -> np.ndarray:
    column = np.empty(len(rows), object)
    column[:] = rows
    return column


def with_column(rows, **columns) -> Trace:
    plain = Trace.of(rows)
    return Trace(plain.arrival, plain.prompt, plain.output, more=columns)


def test_a_prompt_finds_the_blocks_of_an_earlier_one():
    """Two runs of 8 tokens in common, then one of its own: 16 of 24 prompt tokens are found."""
    trace = with_column([(0, 24, 1), (5, 24, 1)], hash_ids=lists([1, 2, 3], [1, 2, 4]))
    done = simulate(trace, "fcfs", Serving(blocks=40, **HOST))
    assert done.more["cached_tokens"] == 16


def test_running_requests_share_blocks():
    """4 blocks in common and 2 of each: 8 blocks hold both requests."""
    trace = with_column([(0, 20, 4), (1, 20, 4)], hash_ids=lists([1, 2, 3], [1, 2, 4]))
    done = simulate(trace, "fcfs", Serving(blocks=8, **HOST))
    assert done.start.tolist() == [0, 1]
    assert done.peak_tokens == 32
    alone = simulate(trace, "fcfs", Serving(blocks=8, prefix_caching=False, **HOST))
    assert alone.start.tolist() == [0, 4]


def test_the_oldest_blocks_are_lost_first():
    """Six blocks: the second prompt takes those of the first, so the third finds nothing."""
    trace = with_column([(0, 20, 1), (2, 20, 1), (4, 20, 1)], hash_ids=lists([1, 2, 3], [4, 5, 6], [1, 2, 3]))
    done = simulate(trace, "fcfs", Serving(blocks=6, **HOST))
    assert done.more["cached_tokens"] <= 4
    plenty = simulate(trace, "fcfs", Serving(blocks=12, **HOST))
    assert plenty.more["cached_tokens"] == 16


def test_an_evicted_request_finds_its_own_past():
    rows = [(0, 8, 12), (0, 8, 12)]
    cold = simulate(Trace.of(rows), "fcfs", Serving(blocks=8, **HOST))
    warm = simulate(Trace.of(rows), "fcfs", Serving(blocks=8, prefix_caching=True, **HOST))
    assert cold.evictions.sum() == warm.evictions.sum() == 1
    assert warm.more["recomputed_tokens"] < cold.more["recomputed_tokens"]


def test_references_within_a_session():
    """The third turn shares 12 tokens with the first, which the second shares 8 of."""
    plain = Trace.of([(0, 16, 1), (3, 16, 1), (6, 16, 1)])
    more = {"seq": np.arange(3), "prefix_hit_tokens": np.array([0, 8, 12]), "prefix_ref_seq": np.array([-1, 0, 0])}
    trace = Trace(plain.arrival, plain.prompt, plain.output, session=np.zeros(3, np.int64), more=more)
    done = simulate(trace, "fcfs", Serving(blocks=40, **HOST))
    assert done.more["cached_tokens"] == 20


def test_hits_without_a_source_are_granted():
    trace = with_column([(0, 20, 1), (3, 20, 1)], prefix_hit_tokens=np.array([0, 16]))
    assert simulate(trace, "fcfs", Serving(blocks=40, **HOST)).more["cached_tokens"] == 16


@pytest.mark.parametrize("seed", range(30))
def test_any_tree_conserves_blocks_and_tokens(seed: int):
    """The host itself checks that every block comes back and every token is computed once."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 14))
    rows = sorted((int(a), int(p), int(o)) for a, p, o in rng.integers([0, 1, 1], [25, 40, 12], (n, 3)))
    chains = {}
    for name in range(30):
        chains[name] = [*chains.get(int(rng.integers(0, name + 1)), []), name]
    ids = [chains[int(rng.integers(0, 30))][: -(-p // 8)] for _, p, _ in rows]
    ids = [
        row + [1000 + 10 * j + k for k in range(-(-p // 8) - len(row))]
        for j, (row, (_, p, _)) in enumerate(zip(ids, rows, strict=True))
    ]
    host = Serving(
        blocks=int(-(-max(p + o for _, p, o in rows) // 4) + rng.integers(0, 6)),
        steptime=linear(0.5, 0.1), block_size=4, max_num_seqs=int(rng.integers(1, 6)),
        max_num_batched_tokens=int(rng.integers(4, 40)), async_scheduling=bool(rng.integers(0, 2)),
    )  # fmt: skip
    done = simulate(with_column(rows, hash_ids=lists(*ids)), "fcfs", host)
    assert done.status == "ok"
    assert done.completed == n
