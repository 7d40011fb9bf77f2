"""Per-client figures."""

from dataclasses import replace

import numpy as np
import pytest

from plimsoll import Trace, rounds, simulate
from plimsoll.errors import InputError
from plimsoll.fairness import by_client, jain


def test_jain():
    assert jain(np.array([2.0, 2.0, 2.0])) == 1
    assert jain(np.array([3.0, 0.0, 0.0])) == pytest.approx(1 / 3)
    assert jain(np.zeros(2)) == 1


def test_by_client():
    rows = [np.array([0.0, 0.0, 0.0]), np.array([5, 5, 5]), np.array([5, 5, 5])]
    trace = Trace(*rows, "two clients", client=np.array([0, 1, 0]))
    result = simulate(trace, "fcfs", rounds(capacity=10, rounds_per_s=1))
    found = by_client(result)
    assert found["clients"][0] == {"requests": 2, "completed": 2, "mean": 10.0, "p99": pytest.approx(14.9)}
    assert found["clients"][1] == {"requests": 1, "completed": 1, "mean": 10.0, "p99": 10.0}
    assert found["jain"] == pytest.approx(1)
    with pytest.raises(InputError, match="client"):
        by_client(replace(result, client=None))
