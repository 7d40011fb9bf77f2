"""Between a vLLM scheduler and the policy's desk: who waits, who runs, who must give memory back."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from ..policy.protocol import RERANK, SKIP, START
from .avoided import Avoided
from .desk import Desk
from .hint import read_hint
from .journal import Journal
from .options import Options
from .waiting import Waiting

logger = logging.getLogger("vllm.plimsoll")


_RESYNC = 64  # steps between two looks at every running request
_WINDOW_S = 5.0  # over which the share of decision time is judged
_LEARN_FROM = ("FINISHED_STOPPED", "FINISHED_LENGTH_CAPPED", "FINISHED_REPETITION")


class Seat:
    """What the pilot remembers about one request."""

    __slots__ = ("held", "number", "preemptions", "running", "started_s")

    def __init__(self, number: int) -> None:
        self.number = number  # at the desk
        self.preemptions = 0
        self.running = False  # at the desk
        self.held = ""  # why, as told last
        self.started_s: float | None = None


class Pilot:
    """Steers one scheduler. Every public method may be called whatever happens: it never raises.

    If the policy or the predictor raises, or decisions take more than ``options.share`` of the wall clock, the
    pilot says so once, orders the queue first come first served, opens the gate and never asks again.

    Parameters
    ----------
    scheduler : a vLLM V1 scheduler whose queue is still empty.
    options : the operator's settings.
    """

    def __init__(self, scheduler: Any, desk: Desk, options: Options, groups: int = 1) -> None:
        self.scheduler, self.desk, self.options, self.groups = scheduler, desk, options, groups
        self.journal = Journal(options.explain, options.log)
        self.active = True
        self.queue = Waiting(self._place, lambda request: request.request_id)
        self._by_class = getattr(scheduler.policy, "value", "") == "priority"
        self._manager = scheduler.kv_cache_manager
        self._pool = self._manager.block_pool
        self._most = getattr(scheduler, "max_num_active_reqs", scheduler.max_num_running_reqs)
        self._seats: dict[str, Seat] = {}
        self._popped: list[Any] = []  # in this step
        self._avoided = Avoided()
        self._behind: dict[str, Any] = {}  # running, with prompt tokens still to compute
        self._let_in: str | None = None  # the head that may start, until it does or the step ends
        self._head: str | None = None  # who was refused …
        self._retry = 0.0  # … until this step
        self._changed = True
        self._zero_s: float | None = None
        self._spent_s, self._window_s, self._step_s = 0.0, time.perf_counter(), 0.0
        self._front = 0

    # ---- what the scheduler tells

    def joined(self, request: Any) -> None:
        """A request has arrived."""
        if not self.active or request.request_id in self._seats:
            return
        began = time.perf_counter()
        try:
            if self._zero_s is None:
                self._zero_s = request.arrival_time
            arrival = request.arrival_time - self._zero_s
            params = request.sampling_params
            hint = read_hint((params and params.extra_args) or {}, self.options.threshold)
            ids = request.prompt_token_ids or ()
            number = self.desk.add(request.num_prompt_tokens, arrival, request.max_tokens, hint, ids, self._now())
            self._seats[request.request_id] = Seat(number)
            self._changed = True
        except Exception as error:
            self.give_up(error)
        self._spend(began)

    def gone(self, request: Any) -> None:
        """A request has left, for whatever reason."""
        if not self.active:
            return
        began = time.perf_counter()
        seat = self._seats.pop(request.request_id, None)
        self._behind.pop(request.request_id, None)
        self._avoided.let_go(request.request_id)
        if seat is None:
            return
        try:
            output = request.num_output_tokens if request.status.name in _LEARN_FROM else None
            if output:
                told = self.desk.requests[seat.number]
                self.journal.observe("ratio", output / float(told.predicted))
                self._log(request, seat, output)
            self.desk.finish(seat.number, output or None, self._now())
            self._changed = True
        except Exception as error:
            self.give_up(error)
        self._spend(began)

    def before(self) -> None:
        """A step is about to be scheduled."""
        if not self.active:
            return
        began = time.perf_counter()
        self._step_s, self._let_in = 0.0, None
        try:
            self._set_right()
            if self.desk.chooses_victims and not self._by_class and len(self.scheduler.running) > 1:
                self._order_victims()
        except Exception as error:
            self.give_up(error)
        self._spend(began)
        self.queue.gate = self._open if self.active else None

    def after(self, planned: Any) -> None:
        """A step has been scheduled."""
        self.queue.gate = None
        if not self.active:
            return
        began = time.perf_counter()
        try:
            self.queue.bring_back()
            self._settle(planned)
            self.desk.advance()
        except Exception as error:
            self.give_up(error)
        self._spend(began)
        self.journal.observe("decision", self._step_s)
        self._judge_speed()

    # ---- decisions

    def _place(self, request: Any) -> Any:
        """The place in the queue: the operator's priority class, where vLLM has them on, then the policy's rank."""
        rank = 0.0
        seat = self._seats.get(request.request_id)
        if self.active and seat is not None:
            began = time.perf_counter()
            try:
                self._unseat(request, seat)
                rank = self.desk.rank(seat.number, self._now())
            except Exception as error:
                self.give_up(error)
            self._spend(began)
        if not self.active and request.num_preemptions > 0:
            self._front -= 1
            rank = float(self._front)
        return (request.priority if self._by_class else 0, rank)

    def _open(self) -> bool:
        """The gate: True if the head may start now."""
        began = time.perf_counter()
        try:
            return self._ask()
        except Exception as error:
            self.give_up(error)
            return bool(self.queue)
        finally:
            self._spend(began)

    def _ask(self) -> bool:
        queue, desk, reranked = self.queue, self.desk, False
        while queue.at_head():
            request = queue.head()
            name = request.request_id
            if name == self._head and desk.step < self._retry and not self._changed:
                return False
            seat = self._seats.get(name)
            if seat is None or name == self._let_in or len(self.scheduler.running) >= self._most:
                return True  # vLLM asks more than once, also when its batch is full
            free = self._free()
            verdict = desk.admit(seat.number, free, self._now())
            if verdict == START or desk.k == 0:  # with nobody running, holding the head could hold it for ever
                self._let_in = name
                return True
            if verdict == RERANK and not reranked:
                reranked = True
                queue.reorder()
                continue
            self._explain_hold(request, seat, free, verdict)
            if verdict == SKIP:
                queue.set_aside()
                continue
            self._head, self._retry, self._changed = name, desk.step + max(1, verdict), False
            return False
        return False

    def _order_victims(self) -> None:
        """Put whom the policy would preempt last, where vLLM takes its victims from."""
        need, free = self.desk.blocks_needed() * self.groups, self._pool.get_num_free_blocks()
        if need <= free:
            return
        running = self.scheduler.running
        names = {self._seats[r.request_id].number: r for r in running if r.request_id in self._seats}
        victims = [names[i] for i in self.desk.victims(free, need, self._now()) if i in names]
        if not victims or victims[0] is running[-1]:
            return
        taken = {request.request_id for request in victims}
        running[:] = [r for r in running if r.request_id not in taken] + victims[::-1]
        self.journal.count("spared")

    # ---- book-keeping

    def _settle(self, planned: Any) -> None:
        """Tell the desk who truly runs after the step; a request popped from the queue may have been passed over."""
        running = self.scheduler.running
        for request in self._admitted(planned):
            seat = self._seats.get(request.request_id)
            if seat is not None and not seat.running:
                self._seat(request, seat)
        for request in self._popped:
            seat = self._seats.get(request.request_id)
            if seat is not None and seat.running and request.status.name != "RUNNING":
                self._unseat(request, seat)
        self._popped.clear()
        if len(running) != self.desk.k:
            self._resync()
        self.journal.gauge("waiting", len(self.queue))
        self.journal.count("avoided", self._avoided.count(self._free(), self.desk.step))

    def popped(self, request: Any) -> None:
        """The scheduler took the head: it most likely runs from this step on."""
        seat = self._seats.get(request.request_id)
        if self.active and seat is not None:
            self._popped.append(request)
            self._seat(request, seat)

    def _admitted(self, planned: Any) -> Iterable[Any]:
        requests = self.scheduler.requests
        for new in planned.scheduled_new_reqs:
            if new.req_id in requests:
                yield requests[new.req_id]

    def _seat(self, request: Any, seat: Seat) -> None:
        seat.running, seat.held = True, ""
        self._avoided.let_go(request.request_id)
        seat.started_s = self._now() if seat.started_s is None else seat.started_s
        self.desk.start(seat.number, request.num_tokens)
        self._behind[request.request_id] = request
        self.journal.count("admitted")

    def _unseat(self, request: Any, seat: Seat) -> None:
        """A request that ran goes back to the queue: preempted, or passed over in the same step."""
        if not seat.running:
            return
        seat.running = False
        self._behind.pop(request.request_id, None)
        self._changed = True
        if request.num_preemptions == seat.preemptions:
            self.desk.withdraw(seat.number)
            return
        seat.preemptions = request.num_preemptions
        self.desk.evict(seat.number, request.num_output_tokens)
        self.journal.count("preempted")
        self.journal.tell(
            request.request_id,
            "preempted",
            step=self.desk.step,
            generated=request.num_output_tokens,
            prompt=request.num_prompt_tokens,
            running=self.desk.k,
            reason="a running request needed a block and none was free",
        )

    def _set_right(self) -> None:
        if self.desk.step % _RESYNC == 0:
            self._resync()
        elif self._behind:
            for name, request in list(self._behind.items()):
                seat = self._seats[name]
                if seat.running:
                    self.desk.sync([seat.number], [_context(request)])
                if request.num_tokens - request.num_computed_tokens <= 1:
                    del self._behind[name]

    def _resync(self) -> None:
        """Make the desk's running requests those of the scheduler."""
        seated = [(request, self._seats.get(request.request_id)) for request in self.scheduler.running]
        known = [(request, seat) for request, seat in seated if seat is not None]
        truly = {request.request_id for request, _ in known}
        for name, seat in self._seats.items():
            if seat.running and name not in truly:
                seat.running = False
                self.desk.withdraw(seat.number)
        for request, seat in known:
            if not seat.running:
                self._seat(request, seat)
        self.desk.sync([seat.number for _, seat in known], [_context(request) for request, _ in known])

    def _free(self) -> int:
        blocks = self._pool.get_num_free_blocks() - getattr(self._manager, "watermark_blocks", 0)
        return max(0, blocks // self.groups) * self.desk.block

    def _now(self) -> float:
        return time.time() - (self._zero_s or 0.0)

    def _explain_hold(self, request: Any, seat: Seat, free: int, verdict: int) -> None:
        context, predicted = request.num_tokens, float(self.desk.requests[seat.number].predicted)
        reason = "would fit now, but not to the end" if context <= free else "does not fit now"
        if seat.held == reason:
            return
        seat.held = reason
        if context <= free:
            left = predicted - request.num_output_tokens
            self._avoided.hold(request.request_id, context, left, self.desk.step)
            self.journal.count("held")
        self.journal.tell(
            request.request_id,
            "held",
            step=self.desk.step,
            context=context,
            predicted=round(predicted, 1),
            free_tokens=free,
            running=self.desk.k,
            ask_again_in_steps=verdict if 0 < verdict < 1 << 32 else None,
            reason=reason,
        )

    def _log(self, request: Any, seat: Seat, output: int) -> None:
        now = self._now()
        self.journal.finished(
            arrival_s=round(request.arrival_time, 6),
            prompt_tokens=request.num_prompt_tokens,
            output_tokens=output,
            predicted_tokens=round(float(self.desk.requests[seat.number].predicted), 1),
            wait_s=None if seat.started_s is None else round(seat.started_s - self._arrival(request), 6),
            latency_s=round(now - self._arrival(request), 6),
            preemptions=request.num_preemptions,
        )

    def _arrival(self, request: Any) -> float:
        return request.arrival_time - (self._zero_s or 0.0)

    # ---- giving way

    def _spend(self, began: float) -> None:
        spent = time.perf_counter() - began
        self._spent_s += spent
        self._step_s += spent

    def _judge_speed(self) -> None:
        now = time.perf_counter()
        if now - self._window_s < _WINDOW_S:
            return
        share = self._spent_s / (now - self._window_s)
        self._spent_s, self._window_s = 0.0, now
        if share > self.options.share:
            took = f"decisions took {share:.0%} of the time, more than {self.options.share:.0%}"
            self.give_up(RuntimeError(took))

    def give_up(self, error: Exception) -> None:
        """Say so once and serve first come first served from now on."""
        if not self.active:
            return
        self.active = False
        logger.error("plimsoll gives way to stock order: %s: %s", type(error).__name__, error, exc_info=error.__cause__)
        self.journal.gauge("fallback", 1)
        self.queue.gate = None
        self.queue.bring_back()
        self.queue.reorder()


def _context(request: Any) -> int:
    """Prompt and output tokens, those in flight included."""
    return request.num_tokens + getattr(request, "num_output_placeholders", 0)
