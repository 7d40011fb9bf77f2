"""Preemptions that holding avoided, by hand."""

from __future__ import annotations

from plimsoll.engine.avoided import Avoided


def test_who_starts_after_all_avoids_nothing() -> None:
    avoided = Avoided()
    avoided.hold("one", context=8, predicted=9, step=0)
    avoided.let_go("one")
    assert avoided.count(free=0, step=5) == 0


def test_the_newest_would_have_gone_first() -> None:
    avoided = Avoided()
    avoided.hold("one", context=4, predicted=100, step=0)
    avoided.hold("two", context=2, predicted=100, step=1)
    assert avoided.count(free=11, step=3) == 0  # 7 and 4 tokens would be in use
    assert avoided.count(free=8, step=3) == 1
    avoided.let_go("two")  # it counts no more
    assert avoided.count(free=8, step=4) == 0
    assert avoided.count(free=8, step=5) == 1


def test_who_would_be_done_by_then_needs_nothing() -> None:
    avoided = Avoided()
    avoided.hold("one", context=4, predicted=3, step=0)
    assert avoided.count(free=5, step=4) == 0
