"""Schedulers for vLLM V1: ``--scheduler-cls plimsoll.engine.vllm.AsyncScheduler`` (or ``Scheduler``).

One mixin over vLLM's own two schedulers. It replaces the waiting queue by one in the policy's order that looks
empty when its head may not start, and puts the policy's victims where vLLM takes its own. Nothing of vLLM's
scheduling is copied. Every private name it touches is looked for at start; in an unknown version, or when a name
is missing, it warns and leaves vLLM as it is.
"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportAttributeAccessIssue=false
# vLLM is not there where types are checked, so its classes and what the mixin calls on them are unknown

from __future__ import annotations

import logging
from typing import Any

import vllm
from vllm.v1.core.sched.async_scheduler import AsyncScheduler as StockAsyncScheduler
from vllm.v1.core.sched.request_queue import RequestQueue
from vllm.v1.core.sched.scheduler import Scheduler as StockScheduler

from .desk import Desk
from .options import Options
from .pilot import Pilot

logger = logging.getLogger("vllm.plimsoll")

TESTED = ((0, 25), (0, 33))  # first and last minor version whose real scheduler our tests run
_NEEDED = (
    "waiting",
    "running",
    "requests",
    "policy",
    "block_size",
    "kv_cache_config",
    "kv_cache_manager",
    "max_num_running_reqs",
    "vllm_config",
    "_free_request",
)


class _Queue(RequestQueue):
    """The pilot's queue, as vLLM knows queues."""

    def __init__(self, pilot: Pilot) -> None:
        self._queue = pilot.queue
        self._popped = pilot.popped

    def add_request(self, request: Any) -> None:
        self._queue.join(request)

    def pop_request(self) -> Any:
        request = self._queue.take()
        self._popped(request)
        return request

    def peek_request(self) -> Any:
        return self._queue.head()

    def prepend_request(self, request: Any) -> None:
        self._queue.join(request)

    def prepend_requests(self, requests: Any) -> None:
        for request in requests:
            self._queue.join(request)

    def remove_request(self, request: Any) -> None:
        self._queue.leave(request)

    def remove_requests(self, requests: Any) -> None:
        for request in requests:
            self._queue.leave(request)

    def __bool__(self) -> bool:
        return bool(self._queue)

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Any:
        return iter(self._queue)


class _Steered:
    """The mixin: vLLM's scheduler with a pilot."""

    pilot: Pilot | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pilot = _board(self)

    def add_request(self, request: Any) -> None:
        if self.pilot:
            self.pilot.joined(request)
        super().add_request(request)

    def schedule(self, *args: Any, **kwargs: Any) -> Any:
        if not self.pilot:
            return super().schedule(*args, **kwargs)
        self.pilot.before()
        planned = super().schedule(*args, **kwargs)
        self.pilot.after(planned)
        return planned

    def _free_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if self.pilot:
            self.pilot.gone(request)
        return super()._free_request(request, *args, **kwargs)


class Scheduler(_Steered, StockScheduler):
    """vLLM's scheduler, steered by a policy; for engines without async scheduling (CPU)."""


class AsyncScheduler(_Steered, StockAsyncScheduler):
    """vLLM's async scheduler, steered by a policy; the usual one on a GPU."""


def _board(scheduler: Any) -> Pilot | None:
    """A pilot for this scheduler, with its queue in place; None leaves vLLM as it is."""
    reason = _unfit(scheduler)
    if reason:
        logger.warning("plimsoll stays out, vLLM schedules in stock order: %s", reason)
        return None
    options = Options.read(scheduler.vllm_config.additional_config)
    if options.policy == "stock":
        logger.warning("plimsoll: policy is stock; vLLM schedules in its own order")
        return None
    policy, predictor = options.load()
    groups = max(1, len(scheduler.kv_cache_config.kv_cache_groups))
    blocks = (scheduler.kv_cache_manager.block_pool.num_gpu_blocks - 1) // groups
    try:
        late = isinstance(scheduler, StockAsyncScheduler)
        desk = Desk(policy, predictor, blocks * scheduler.block_size, scheduler.block_size, late)
    except ArithmeticError as error:
        logger.error("plimsoll gives way to stock order: policy %s: %s", options.policy, error)
        return None
    pilot = Pilot(scheduler, desk, options, groups)
    scheduler.waiting = _Queue(pilot)
    logger.warning(
        "plimsoll steers vLLM %s: policy %s, predictor %s, %d KV tokens in blocks of %d",
        vllm.__version__, options.policy, options.predictor, desk.capacity, desk.block,
    )  # fmt: skip
    return pilot


def _unfit(scheduler: Any) -> str:
    """Why this vLLM cannot be steered, or nothing."""
    version = vllm.__version__.split(".")[:2]
    if not all(part.isdigit() for part in version) or not TESTED[0] <= tuple(map(int, version)) <= TESTED[1]:
        first, last = (".".join(map(str, bound)) for bound in TESTED)
        return f"vLLM {vllm.__version__} is not among the tested versions {first} to {last}"
    missing = [name for name in _NEEDED if not hasattr(scheduler, name)]
    pool = getattr(getattr(scheduler, "kv_cache_manager", None), "block_pool", None)
    missing += [f"block_pool.{name}" for name in ("get_num_free_blocks", "num_gpu_blocks") if not hasattr(pool, name)]
    if missing:
        return f"vLLM {vllm.__version__} has no {missing[0]}"
    if not isinstance(scheduler.waiting, RequestQueue) or len(scheduler.waiting):
        return f"the waiting queue of vLLM {vllm.__version__} is not an empty RequestQueue"
    return ""
