"""The desk by hand, without an engine."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from plimsoll.engine.desk import Desk
from plimsoll.engine.hint import Hint
from plimsoll.engine.options import Options
from plimsoll.errors import InputError, PolicyError
from plimsoll.policies.load_line import BACKLOG
from plimsoll.policies.shortest import McSf
from plimsoll.policies.volume import Svf
from plimsoll.policy import START, View
from plimsoll.policy.view import History
from plimsoll.predict.belief import Belief, one_kind
from plimsoll.predict.law import Law
from plimsoll.predict.online import Online
from plimsoll.predict.survival import step
from plimsoll.trace import Trace


def test_volume_of_a_hint_decides_the_rank() -> None:
    desk = Desk(Svf(), None, capacity=100, block=1)
    i = desk.add(prompt=10, arrival=0.0, most=50, hint=Hint(tokens=4))
    assert desk.rank(i, 0.0) == 9 * 4 + 4 * 5 / 2  # the newest token is not in memory yet
    j = desk.add(prompt=10, arrival=0.0, most=3)
    assert desk.rank(j, 0.0) == 9 * 3 + 3 * 4 / 2


def test_a_hint_never_exceeds_the_limit() -> None:
    desk = Desk(Svf(), None, capacity=100, block=1)
    i = desk.add(10, 0.0, most=5, hint=Hint(tokens=9))
    assert desk.requests[i].predicted == 5
    j = desk.add(10, 0.0, most=100, hint=Hint(lower=4, upper=9))
    assert desk.requests[j].predicted == 6  # between the bounds, by ratio
    assert (desk.requests[j].lower, desk.requests[j].upper) == (4, 9)


def test_the_peak_decides_who_starts() -> None:
    desk = Desk(McSf(), None, capacity=20, block=1)
    first, second = desk.add(8, 0.0, 4), desk.add(8, 0.0, 4)
    desk.start(first, 8)
    assert desk.admit(second, 12, 0.0) > START  # 11 + 11 at their common end
    for _ in range(4):
        desk.advance()
    desk.finish(first, 4)
    assert desk.admit(second, 20, 0.0) == START


def test_steps_are_tokens_and_sync_sets_them_right() -> None:
    desk = Desk(Svf(), None, capacity=1000, block=4)
    i = desk.add(7, 0.0, 10)
    desk.start(i, 7)
    desk.advance()  # 8 tokens now: the next needs no new block for it, as 8 = 2 · 4 holds 7 + 1
    assert desk.blocks_needed() == 0
    desk.advance()  # 9 tokens: the ninth opens the third block
    assert desk.blocks_needed() == 1
    desk.sync([i], [7])
    row = desk.running[0]
    assert (row.offset + desk.step, row.end - desk.step) == (6, 10)


def test_an_evicted_request_is_longer_than_it_got() -> None:
    desk = Desk(Svf(), None, capacity=1000, block=1)
    i = desk.add(5, 0.0, 100, Hint(tokens=3))
    desk.start(i, 5)
    desk.evict(i, 6)
    told = desk.requests[i]
    assert (told.predicted, told.lower, told.generated, told.evictions, desk.k) == (7, 7, 6, 1, 0)


def test_slots_come_back_and_grow() -> None:
    desk = Desk(Svf(), Law(), capacity=1000, block=16)
    slots = [desk.add(5, float(t), 100) for t in range(200)]
    assert len(set(slots)) == 200
    for slot in slots:
        desk.start(slot, 5)
    assert desk.k == 200
    for slot in slots:
        desk.finish(slot, 20)
    assert desk.k == 0
    assert {desk.add(5, 0.0, 100) for _ in range(200)} == set(slots)


def test_the_law_is_learned_from_finished_requests_alone() -> None:
    desk = Desk(Svf(), Law(), capacity=10**6, block=16)
    before = float(desk.requests[desk.add(5, 0.0, 4000)].predicted)
    for _ in range(300):
        slot = desk.add(5, 0.0, 4000)
        desk.start(slot, 5)
        desk.finish(slot, 30)
    after = float(desk.requests[desk.add(5, 0.0, 4000)].predicted)
    assert after == pytest.approx(30, rel=0.3)
    for _ in range(300):  # aborted requests teach nothing
        desk.finish(desk.add(5, 0.0, 4000), None)
    assert float(desk.requests[desk.add(5, 0.0, 4000)].predicted) == after
    assert not math.isclose(before, after)


def test_prompts_are_told_apart_once_they_have_been_seen() -> None:
    policy, predictor = Options(policy="svf", predictor="online").load()
    desk = Desk(policy, predictor, capacity=10**6, block=16)
    short, long = list(range(10, 40)), list(range(100, 130))
    for _ in range(80):
        for ids, output in ((short, 5), (long, 500)):
            slot = desk.add(30, 0.0, 4000, ids=ids)
            desk.start(slot, 30)
            desk.finish(slot, output)
    told = [float(desk.requests[desk.add(30, 0.0, 4000, ids=ids)].predicted) for ids in (short, long)]
    assert told[0] < 50 < told[1]


def test_a_predictor_without_columns_of_its_own_is_asked_for_a_plan() -> None:
    class Plain(NamedTuple):
        """Knows a request by what its plan keeps of it: twice the prompt."""

        def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
            return one_kind(np.ones(len(trace), np.int64), step())._replace(columns=2.0 * trace.prompt[:, None])

        def predict(self, history: History, i: int) -> None:
            history.requests[i].predicted = history.columns[i, 0]

    desk = Desk(Svf(), Plain(), capacity=1000, block=16, compiled=False)
    assert [desk.requests[desk.add(prompt, 0.0, 4000)].predicted for prompt in (30, 7)] == [60, 14]


def test_prompts_that_cannot_be_seen_are_not_one_prompt_that_comes_again() -> None:
    policy, predictor = Options(policy="svf", predictor="online").load()
    desk = Desk(policy, predictor, capacity=10**6, block=16)
    for output in [200] * 100 + [5] * 3:
        slot = desk.add(30, 0.0, 4000)
        desk.start(slot, 30)
        desk.finish(slot, output)
    assert float(desk.requests[desk.add(30, 0.0, 4000)].predicted) > 100


def test_who_gives_up_while_waiting_no_longer_weighs_on_the_others() -> None:
    desk = Desk(*Options().load(), capacity=10**5, block=16)
    desk.rank(desk.add(100, 0.0, 50), 0.0)
    waiting = float(desk._memory[BACKLOG])  # pyright: ignore[reportPrivateUsage]
    for _ in range(100):
        slot = desk.add(100, 0.0, 50)
        desk.rank(slot, 0.0)
        desk.finish(slot, None)
    assert waiting > 0
    assert desk._memory[BACKLOG] == pytest.approx(waiting)  # pyright: ignore[reportPrivateUsage]


def test_victims_until_enough_is_free() -> None:
    desk = Desk(Svf(engine=True), None, capacity=64, block=4)
    sizes = [(8, 9), (8, 40), (8, 20)]
    slots = [desk.add(prompt, 0.0, output) for prompt, output in sizes]
    for slot in slots:
        desk.start(slot, 8)
    assert desk.victims(free=0, need=2) == [slots[1]]
    assert desk.victims(free=0, need=3) == [slots[1], slots[2]]
    assert desk.k == 3  # asking changes nothing


class Sliced(NamedTuple):
    """Takes requests back after a token."""

    def rank(self, view: View, i: int) -> float:
        return 0.0

    def limit(self, view: View, i: int) -> int:
        return 1


class Ahead(NamedTuple):
    """Plans where everybody stands in the end."""

    def rank(self, view: View, i: int) -> float:
        return 0.0

    def plan(self, requests: Any, capacity: int, rng: Any) -> Any:
        from plimsoll.policy import Plan

        return Plan(np.cumsum(requests["predicted"])[:, None], np.zeros(1))


@pytest.mark.parametrize("policy", [Sliced(), Ahead()])
def test_what_needs_the_simulator_is_refused(policy: Any) -> None:
    with pytest.raises(PolicyError, match="needs the simulator"):
        Desk(policy, None, capacity=100, block=1)


class Counts(NamedTuple):
    """Ranks by how often a request has been ranked, which it keeps in a column."""

    def rank(self, view: View, i: int) -> float:
        view.columns[i, 0] += 1.0
        return view.columns[i, 0]

    def plan(self, requests: Any, capacity: int, rng: Any) -> Any:
        from plimsoll.policy import Plan

        return Plan(np.full((len(requests), 1), 5.0), np.zeros(1))


def test_a_policys_own_columns_start_afresh_with_each_request() -> None:
    desk = Desk(Counts(), None, capacity=100, block=1)
    slots = [desk.add(1, 0.0, 5) for _ in range(100)]
    assert [desk.rank(i, 0.0) for i in slots] == [6.0] * 100
    assert desk.rank(slots[0], 0.0) == 7.0
    desk.finish(slots[0], None)
    assert desk.rank(desk.add(1, 0.0, 5), 0.0) == 6.0


def test_the_default_policy_fits_the_desk() -> None:
    policy, predictor = Options().load()
    desk = Desk(policy, predictor, capacity=1000, block=16)
    i = desk.add(100, 0.0, 50)
    assert desk.rank(i, 0.0) == desk.rank(i, 1.0)  # a place never moves
    assert desk.admit(i, 1000, 1.0) == START


def test_options() -> None:
    environment = {"PLIMSOLL_POLICY": "sjf", "PLIMSOLL_SHARE": "0.5"}
    options = Options.read({"plimsoll": {"policy": "svf:age=20"}}, environment)
    assert (options.policy, options.share, options.predictor) == ("svf:age=20", 0.5, "online")
    policy, predictor = options.load()
    assert (policy.age, type(predictor)) == (20, Online)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"plimsoll": {"polcy": "svf"}}, "no 'polcy'"),
        ({"plimsoll": 3}, "must be an object"),
        ({"plimsoll": {"share": "much"}}, "share cannot be 'much'"),
        ({"plimsoll": {"policy": "svf", "predictor": "exact"}}, "does not learn while it runs"),
        ({"plimsoll": {"policy": "nonsense"}}, "unknown"),
    ],
)
def test_bad_options_are_one_line(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Options.read(settings, {}).load()
