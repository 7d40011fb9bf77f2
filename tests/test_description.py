"""A trace in numbers."""

import numpy as np
import pytest

from plimsoll.description import describe, load, reading
from plimsoll.errors import InputError
from plimsoll.trace import Trace

# Arrivals at 0, 1, 3 s: rate 1 per second, gaps 1 and 2. Volumes 3·2 + 3 = 9, 1·1 + 1 = 2, 0 + 10 = 10.
THREE = Trace.of([(0, 3, 2), (1, 1, 1), (3, 0, 4)])


def test_by_hand():
    told = describe(THREE, capacity=4, rounds_per_s=2)
    assert (told.requests, told.duration_s, told.largest, told.oversize) == (3, 3, 5, 1)
    assert told.rate_per_s == pytest.approx(2 / 3)
    assert told.interarrival_cv == pytest.approx(0.5 / 1.5)
    assert told.mean_volume == pytest.approx(7)
    assert told.load == pytest.approx((2 / 3) / 2 * 7 / 4)
    assert (told.prompt_tokens.p50, told.prompt_tokens.max, told.output_tokens.mean) == (
        1,
        3,
        pytest.approx(7 / 3),
    )
    assert told.to_json()["prompt_tokens"]["p50"] == 1


@pytest.mark.parametrize(
    ("at", "words"), [(1.2, "grows without end"), (0.95, ""), (0.5, "order will matter little"), (None, "")]
)
def test_reading(at, words):
    assert words in reading(at)
    assert bool(words) == bool(reading(at))


def test_no_rate_no_load():
    burst = describe(Trace.of([(0, 1, 1), (0, 1, 1)]), capacity=5)
    assert (burst.rate_per_s, burst.load, burst.interarrival_cv) == (None, None, None)
    assert "all requests arrive at once" in burst.reading
    one = np.ones(2, dtype=np.int64)
    sessions = describe(Trace(np.zeros(2), one, one, session=np.array([0, 1])), capacity=5)
    assert (sessions.sessions, sessions.duration_s, sessions.load) == (2, None, None)
    assert "own clock" in sessions.reading


def test_ranges():
    with pytest.raises(InputError, match="capacity must be at least 1"):
        describe(THREE, capacity=0)
    with pytest.raises(InputError, match="rounds per second must be positive"):
        load(THREE, 5, 0)


@pytest.mark.shared
def test_the_main_job_on_real_input(shared):
    from plimsoll.formats import read_file

    told = describe(read_file(shared / "traces" / "azure_llm_2023_conv.parquet"), 65_000)
    assert told.load == pytest.approx(1.10, abs=0.01)
    assert told.interarrival_cv == pytest.approx(1.09, abs=0.01)
