"""Widths set aside, summed once a step."""

import numpy as np

from plimsoll.policy.view import REQUEST, RUNNING, View, records
from plimsoll.policy.width import joins


def seen(step: int, running: list[int], columns: np.ndarray, memory: np.ndarray) -> View:
    """A machine of 10 tokens on which these requests run."""
    batch = records(len(running), RUNNING)
    batch.id = running
    requests = records(len(columns), REQUEST)
    return View(0.0, step, 10, 1, 10, 0, 0, requests, batch, np.ones((1, 2)), columns, memory, np.ones(6, np.int64))


def test_widths_add_up_within_a_step_and_are_summed_anew_in_the_next():
    columns, memory = np.array([[4.0], [4.0], [3.0], [2.0]]), np.zeros(10)
    assert joins(seen(1, [], columns, memory), 0, 0)
    assert joins(seen(1, [0], columns, memory), 1, 0)
    assert not joins(seen(1, [0, 1], columns, memory), 2, 0)  # 4 + 4 + 3
    assert joins(seen(1, [0, 1], columns, memory), 3, 0)
    assert joins(seen(2, [0, 3], columns, memory), 2, 0)  # request 1 has left


def test_a_request_that_was_counted_and_did_not_start_is_not_counted():
    columns, memory = np.array([[4.0], [4.0], [6.0]]), np.zeros(10)
    assert joins(seen(1, [0], columns, memory), 1, 0)
    assert joins(seen(1, [0], columns, memory), 2, 0)
