"""The test of the future peak with paged memory: usage counts whole blocks."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.policy import START, View, peak_wait
from plimsoll.policy.draw import new_dice
from plimsoll.policy.view import REQUEST, RUNNING, records


def view_of(batch: list[tuple[int, int]], candidate: tuple[int, int], block: int, capacity: int, step: int) -> View:
    """``batch`` holds (tokens held now, tokens still to come), ``candidate`` (prompt, predicted)."""
    requests, running = records(len(batch) + 1, REQUEST), records(len(batch), RUNNING)
    requests[0].prompt, requests[0].predicted = candidate
    ordered = sorted(batch, key=lambda one: one[1])
    for x, (held, left) in enumerate(ordered):
        running[x].id, running[x].offset, running[x].end = x + 1, held - step, step + left
    nothing = np.zeros((0, 1))
    return View(
        0.0, step, capacity, block, capacity, 0, 0, requests, running, nothing, nothing, np.zeros(1), new_dice(0)
    )


def used(held: int, after: int, block: int) -> int:
    return math.ceil((held + after) / block) * block


def fits(batch, candidate, block: int, capacity: int, delay: int = 0) -> bool:
    """Step by step: nobody needs more than the capacity until the candidate's end, if it starts ``delay`` later."""
    prompt, output = candidate
    return all(
        used(prompt, t - delay, block) + sum(used(held, t, block) for held, left in batch if left >= t) <= capacity
        for t in range(delay + 1, delay + output + 1)
    )


BATCHES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 30)), max_size=5)


@settings(deadline=None)  # the first example compiles
@given(BATCHES, st.tuples(st.integers(0, 40), st.integers(1, 30)), st.integers(1, 8), st.integers(1, 40))
def test_whole_blocks_decide(batch, candidate, block: int, blocks: int) -> None:
    capacity = blocks * block
    wait = peak_wait(view_of(batch, candidate, block, capacity, step=7), 0, capacity)
    assert (wait == START) == fits(batch, candidate, block, capacity)
    first = min((left for _, left in batch), default=0)  # a completion is an event: the host asks again
    for delay in range(1, min(wait, first)):
        assert not fits(batch, candidate, block, capacity, delay)


def test_by_hand() -> None:
    # 2 blocks of 4: one request holds 3 tokens and makes 1 more, so 1 block; the other, prompt 3, output 2, needs
    # 4 tokens in the next step and 5, two blocks, in the one after, when the first is gone
    assert peak_wait(view_of([(3, 1)], (3, 2), 4, 8, step=0), 0, 8) == START
    # were the first still there, the second would need a third block
    assert peak_wait(view_of([(3, 2)], (3, 2), 4, 8, step=0), 0, 8) > START
