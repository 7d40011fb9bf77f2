"""A small comparison that the report's tests share."""

from __future__ import annotations

import numpy as np
import pytest

from plimsoll import Trace, rounds
from plimsoll.experiment.run import compare

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>\"'&\u2028"


def crowded(requests: int = 300, name: str = "crowded") -> Trace:
    """Short and long requests that together ask for a little more memory than there is."""
    rng = np.random.default_rng(7)
    output = rng.choice([4, 12, 60], requests, p=[0.5, 0.3, 0.2])
    return Trace(np.sort(rng.uniform(0, 1.2 * requests, requests)), rng.integers(1, 30, requests), output, name)


@pytest.fixture(scope="session")
def comparison():
    """(trace, runs), best first."""
    trace = crowded()
    return trace, compare(trace, ["fcfs", "svf", "mc-benchmark"], rounds(capacity=450, rounds_per_s=1))
