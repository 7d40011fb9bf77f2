"""The law of recent output lengths and the priority that follows from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.proxy.law import FIRST_GUESS, WINDOW, OutputLaw


def test_first_requests_are_ordered_by_prompt() -> None:
    law = OutputLaw()
    assert law.priority(10) == 10 * FIRST_GUESS + (FIRST_GUESS**2 + FIRST_GUESS) // 2
    assert law.priority(10) < law.priority(11)


def test_two_answers_by_hand() -> None:
    law = OutputLaw(patience=2)
    law.learn(prompt=1, output=2)  # volume 1·2 + 3 = 5
    law.learn(prompt=0, output=4)  # volume 10
    assert law.moments() == (3.0, 10.0)
    assert law.moments(limit=3) == (2.5, 6.5)
    # 7·3 + (10 + 3)/2 = 27.5, and the clock (5 + 10)/2 = 7.5
    assert law.priority(7) == 35
    # 7·2.5 + (6.5 + 2.5)/2 = 22 and 7.5
    assert law.priority(7, limit=3) == 29


def test_window_forgets() -> None:
    law = OutputLaw()
    for _ in range(WINDOW):
        law.learn(0, 1000)
    for _ in range(WINDOW):
        law.learn(0, 10)
    assert law.moments() == (10.0, 100.0)
    assert len(law) == 2 * WINDOW


def test_a_restarted_proxy_ranks_behind_the_old_one() -> None:
    old, new = OutputLaw(start=1_000 * 10**9), OutputLaw(start=1_001 * 10**9)
    for _ in range(1000):
        old.learn(8_000, 2_000)
    assert old.priority(100_000, 8_000) < new.priority(0)


def test_under_a_limit_the_law_is_at_most_a_hundredth_old() -> None:
    law = OutputLaw()
    for answers in range(1, 3 * WINDOW):
        law.learn(0, answers)
        newest = answers - min(answers, WINDOW) // 100
        recent = range(max(1, newest - WINDOW + 1), newest + 1)
        assert law.moments(10 * WINDOW)[0] >= np.mean(recent)
        assert law.moments() == pytest.approx(moments(range(max(1, answers - WINDOW + 1), answers + 1)))


def moments(outputs: range) -> tuple[float, float]:
    o = np.array(outputs, float)
    return float(o.mean()), float((o * o).mean())


@settings(deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=60), st.integers(0, 10_000))
def test_priority_is_the_mean_volume(outputs: list[int], prompt: int) -> None:
    law = OutputLaw(patience=1e18)
    for output in outputs:
        law.learn(5, output)
    o = np.array(outputs, float)
    assert law.priority(prompt) == pytest.approx(np.mean(prompt * o + o * (o + 1) / 2), abs=1.5)


def test_patience_must_be_positive() -> None:
    with pytest.raises(InputError, match="--patience must be above 0, not 0"):
        OutputLaw(patience=0)
