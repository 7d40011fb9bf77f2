# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportAttributeAccessIssue=false
# transformers is not there where types are checked, so its classes are unknown

"""Policies inside the continuous batching of transformers.

`register` makes a policy a scheduler type: ``ContinuousBatchingConfig(scheduler_type=register("svf"))``. Decoding
requests go first, as in transformers' own FIFO; of those that wait, the policy says who comes next and who must not
start yet.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from transformers.generation.continuous_batching.requests import RequestStatus
from transformers.generation.continuous_batching.scheduler import SCHEDULER_MAPPING, FIFOScheduler

from ..policy.protocol import SKIP, START
from .desk import Desk
from .hint import Hint
from .options import Options
from .waiting import Waiting

logger = logging.getLogger(__name__)


def register(
    policy: str,
    predictor: str = "max_tokens",
    name: str | None = None,
    hint: Callable[[Any], Hint | None] | None = None,
) -> str:
    """Make a policy available as a scheduler type.

    Parameters
    ----------
    policy, predictor : as in `plimsoll.engine.options.Options`; what a request asks for (``max_new_tokens``) is
        the prediction unless a predictor learns.
    name : of the scheduler type; ``plimsoll:`` and the policy if not given.
    hint : what is known about the length of a request, from its ``RequestState``.

    Returns
    -------
    The name.

    Raises
    ------
    InputError
        For an unknown policy or predictor.
    """
    options = Options(policy=policy, predictor=predictor)
    Desk(*options.load(), capacity=1024, block=16)  # compiles the policy now rather than while it serves
    name = name or f"plimsoll:{policy}"
    SCHEDULER_MAPPING[name] = type(
        "PolicyScheduler", (_PolicyScheduler,), {"options": options, "hint": staticmethod(hint or _none)}
    )
    return name


class _PolicyScheduler(FIFOScheduler):
    """The policy's order and verdicts; transformers' own batches, blocks and evictions."""

    options: Options
    hint: Callable[[Any], Hint | None]

    def __init__(self, cache: Any, safety_margin: float | None, max_requests_per_batch: int) -> None:
        # the policy judges memory itself, so no margin unless one is asked for
        super().__init__(cache, safety_margin or 0.0, max_requests_per_batch)

    def reset(self) -> None:
        super().reset()
        blocks, block = _shape(self.cache)
        self._desk = Desk(*self.options.load(), capacity=blocks * block, block=block)
        self._queue = Waiting(self._place, lambda state: state.request_id)
        self._slots: dict[str, int] = {}
        self._waits: dict[str, Any] = {}
        self._running: dict[str, Any] = {}
        self._retry: tuple[str, float] = ("", 0.0)
        self._zero_s = time.perf_counter()  # the clock of created_time
        self._steered = True

    def add_waiting_request(self, state: Any) -> None:
        super().add_waiting_request(state)
        if self._steered:
            self._guarded(self._join, state)

    def schedule_batch(self, *args: Any, **kwargs: Any) -> Any:
        if self._steered:
            self._guarded(self._settle)
        return super().schedule_batch(*args, **kwargs)

    def finish_request(self, request_id: str) -> None:
        state = self.active_requests.get(request_id)
        super().finish_request(request_id)
        if self._steered and state is not None:
            done = state.status == RequestStatus.FINISHED
            self._guarded(self._leave, request_id, _generated(state) if done else None)

    def _get_waiting_candidates(self) -> list[Any]:
        if not self._steered:
            return super()._get_waiting_candidates()
        found = self._guarded(self._admissible)
        return super()._get_waiting_candidates() if found is None else found

    # ---- the desk

    def _now(self) -> float:
        return time.perf_counter() - self._zero_s

    def _place(self, state: Any) -> float:
        return self._desk.rank(self._slots[state.request_id], self._now())

    def _join(self, state: Any) -> None:
        """A request arrives, or comes back after an eviction with what it has made as part of its prompt."""
        slot = self._slots.get(state.request_id)
        if slot is None:
            most = min(state._new_tokens_limit, 1 << 30)
            prompt = len(state.initial_tokens)
            arrival = state.created_time - self._zero_s
            ids = state.initial_tokens
            slot = self._desk.add(prompt, arrival, most, self.hint(state), ids, self._now())
            self._slots[state.request_id] = slot
        elif state.request_id in self._running:
            del self._running[state.request_id]
            self._desk.evict(slot, _generated(state))
        self._wait(state)

    def _wait(self, state: Any) -> None:
        self._waits[state.request_id] = state
        self._queue.join(state)

    def _settle(self) -> None:
        """Before a batch: who was cancelled is gone, who runs holds what it holds."""
        for name in [name for name in self._slots if not self._known(name)]:
            self._leave(name, None)
        self._desk.advance()
        states = [(self._slots[name], state) for name, state in self._running.items()]
        self._desk.sync([slot for slot, _ in states], [_context(state) for _, state in states])

    def _known(self, name: str) -> bool:
        return name in self.active_requests or name in self.waiting_requests

    def _leave(self, name: str, output: int | None) -> None:
        slot = self._slots.pop(name, None)
        if slot is not None:
            self._running.pop(name, None)
            self._desk.finish(slot, output, self._now())
            if name in self._waits:
                self._queue.leave(self._waits.pop(name))
            self._retry = ("", 0.0)

    def _admissible(self) -> list[Any]:
        """The waiting requests that may start now, in the policy's order."""
        self._started()
        chosen: list[Any] = []
        free = _free_blocks(self.cache)
        queue, desk = self._queue, self._desk
        while queue.at_head() and len(self.active_requests) + len(chosen) < self.max_requests_per_batch:
            state = queue.head()
            slot, context = self._slots[state.request_id], _context(state)
            name, until = self._retry
            if state.request_id == name and desk.step < until:
                break
            verdict = desk.admit(slot, free * desk.block, self._now())
            if verdict == START or desk.k == 0:  # with nobody running, holding the head could hold it for ever
                del self._waits[queue.take().request_id]
                chosen.append(state)
                desk.start(slot, context)
                self._running[state.request_id] = state
                free -= -(-context // desk.block)
            elif verdict == SKIP:
                queue.set_aside()
            else:
                self._retry = (state.request_id, desk.step + max(1, verdict))
                break
        queue.bring_back()
        return chosen

    def _started(self) -> None:
        """Who was let in last time and found no room in the batch waits again."""
        for name, state in list(self._running.items()):
            if name in self.waiting_requests:
                del self._running[name]
                self._desk.withdraw(self._slots[name])
                self._wait(state)

    def _guarded(self, work: Any, *args: Any) -> Any:
        """Do it; if it fails, say so once and leave the rest to FIFO."""
        try:
            return work(*args)
        except Exception as error:
            self._steered = False
            logger.error("plimsoll gives way to FIFO: %s: %s", type(error).__name__, error, exc_info=error)
            return None


def _none(state: Any) -> None:
    """Nothing is known."""


def _shape(cache: Any) -> tuple[int, int]:
    """Blocks and tokens per block; transformers called blocks of a whole model sectors from 5.18 on."""
    if hasattr(cache, "num_sectors"):
        return cache.num_sectors, cache.tokens_per_sector
    return cache.num_blocks, cache.block_size


def _free_blocks(cache: Any) -> int:
    if hasattr(cache, "compute_free_capacity"):
        return int(cache.compute_free_capacity() * _shape(cache)[0])
    return cache.get_num_free_blocks()


def _generated(state: Any) -> int:
    """Output tokens so far, those of earlier attempts included."""
    return _context(state) - (state._true_initial_tokens or len(state.initial_tokens))


def _context(state: Any) -> int:
    return len(state.initial_tokens) + len(state.generated_tokens)
