"""The waiting queue against a sorted list."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.engine.waiting import Waiting


class Asks(NamedTuple):
    name: int
    place: int


def queue() -> Waiting:
    return Waiting(lambda request: request.place, lambda request: request.name)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["join", "take", "leave", "aside", "back"]), st.integers(0, 9))))
def test_it_is_a_sorted_list(events: list[tuple[str, int]]) -> None:
    waiting, model, aside = queue(), [], []
    for name, (event, number) in enumerate(events):
        if event == "join":
            waiting.join(Asks(name, number))
            model.append(Asks(name, number))
        elif event == "back":
            waiting.bring_back()
            model, aside = model + aside, []
        elif event == "leave":
            gone = next((one for one in model + aside if one.place == number), None)
            if gone:
                waiting.leave(gone)
                model, aside = [one for one in model if one != gone], [one for one in aside if one != gone]
        elif model:
            first = min(model, key=lambda one: (one.place, one.name))
            assert waiting.head() == first
            model.remove(first)
            if event == "take":
                assert waiting.take() == first
            else:
                waiting.set_aside()
                aside.append(first)
        assert waiting.at_head() == bool(model)
        assert len(waiting) == len(model) + len(aside)
        assert list(waiting) == sorted(model + aside, key=lambda one: (one.place, one.name))


def test_a_closed_gate_hides_the_head_and_loses_nobody() -> None:
    waiting = queue()
    waiting.join(Asks(1, 5))
    waiting.gate = lambda: False
    assert not waiting
    assert len(waiting) == 1
    waiting.gate = None
    assert waiting
    assert waiting.take() == Asks(1, 5)


def test_reordering_asks_every_place_again() -> None:
    sign = [1]
    waiting = Waiting(lambda request: sign[0] * request.place, lambda request: request.name)
    for name, place in enumerate((3, 1, 2)):
        waiting.join(Asks(name, place))
    sign[0] = -1
    waiting.reorder()
    assert [request.place for request in waiting] == [3, 2, 1]
    waiting.leave(Asks(0, 3))
    assert waiting.take().place == 2
