"""Prefill and decode on replicas of their own, the KV cache sent over a link in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..host.result import Result
from ..progress import Progress
from ..steptime import bytes_of, model_named
from ..trace import Floats, Trace
from .fleet import Fleet

LINK_GB_PER_S, LINK_LATENCY_S = 50.0, 1e-3


@dataclass(frozen=True)
class Stages:
    """A fleet for prompts and one for the tokens after the first.

    A prompt is computed on a prefill replica, whose last step gives the first token; its KV then goes over the link,
    each request at the link's full rate, and joins a decode replica as a request whose prompt is in the cache up to
    its last block. An evicted request gets its prompt's KV again without a charge.

    Attributes
    ----------
    link_gb_per_s, link_latency_s : of one transfer; 50 GB/s is a 400 Gbit/s network.
    """

    prefill: Fleet
    decode: Fleet
    link_gb_per_s: float = LINK_GB_PER_S
    link_latency_s: float = LINK_LATENCY_S

    name = "fleet"
    unit = "s"

    def __post_init__(self) -> None:
        if not (self.link_gb_per_s > 0 and self.link_latency_s >= 0):
            raise InputError("a link needs link_gb_per_s above 0 and link_latency_s of at least 0")
        for each in (*self.prefill.replicas, *self.decode.replicas):
            if each.model is None:
                raise InputError("prefill and decode replicas need a model, whose KV goes over the link")
            if each.closed_loop or each.timeout_s is not None:
                raise InputError("prefill and decode replicas serve no closed sessions and know no time-outs")

    @property
    def capacity(self) -> int:
        """Tokens of all replicas together."""
        return self.prefill.capacity + self.decode.capacity

    @property
    def largest(self) -> int:
        """Tokens that a request may need at most: it decodes to its end on one replica."""
        return min(self.prefill.largest, self.decode.largest)

    @property
    def basis(self) -> str:
        """What the answers stand on, once for each kind of replica."""
        return "; ".join(dict.fromkeys(each.basis for each in (*self.prefill.replicas, *self.decode.replicas)))

    def arrivals(self, trace: Trace) -> Floats:
        """See ``Serving.arrivals``."""
        return self.prefill.arrivals(trace)

    def transfer_s(self, prompt: Any) -> Floats:
        """Seconds that the KV of prompts is on its way, shape of ``prompt``."""
        first = self.prefill.replicas[0]
        model, size = model_named(first.model or ""), bytes_of("--kv-cache-dtype", first.kv_cache_dtype or "bf16")
        return self.link_latency_s + prompt * model.kv_bytes(1, size) / (self.link_gb_per_s * 1e9)

    def run(
        self, trace: Trace, policy: Any, predictor: Any, seed: int, compiled: bool, progress: Progress | None
    ) -> Result:
        """See ``plimsoll.simulate``."""
        limit = self.prefill.replicas[0].max_tokens
        if limit is not None:
            trace = replace(trace, output=np.minimum(trace.output, limit))
        trace.fitting(self.largest)
        given = (policy, predictor, seed, compiled, progress)
        first = self.prefill.run(replace(trace, output=np.ones(len(trace), np.int64)), *given)
        there = first.finish + self.transfer_s(trace.prompt)
        rows = np.flatnonzero((trace.output > 1) & np.isfinite(there))
        rows = rows[np.argsort(there[rows], kind="mergesort")]
        if not len(rows):
            return replace(first, output=trace.output)
        rest = Trace(
            there[rows], trace.prompt[rows] + 1, trace.output[rows] - 1, trace.name,
            client=None if trace.client is None else trace.client[rows],
            more={"prefix_hit_tokens": trace.prompt[rows]},
        )  # fmt: skip
        second = self.decode.run(rest, *given)
        return _joined(trace, first, second, rows, self.capacity)


def _joined(trace: Trace, first: Result, second: Result, rows: Any, capacity: int) -> Result:
    """The first token from the one stage, the finish from the other."""
    finish, predicted = np.where(trace.output > 1, np.nan, first.finish), first.predicted.copy()
    evictions = first.evictions.copy()
    finish[rows], predicted[rows] = second.finish, second.predicted + 1
    evictions[rows] += second.evictions
    attempts = np.column_stack([rows[second.attempts[:, 0]], second.attempts[:, 1:]])
    more = {name: first.more.get(name, 0.0) + second.more.get(name, 0.0) for name in {*first.more, *second.more}}
    more = {name: value for name, value in more.items() if not name.startswith(("imbalance", "itl_", "queueing_p"))}
    spans = [part.capacity * part.more["elapsed_s"] for part in (first, second)]
    length = float(np.nanmax(finish) - first.arrival.min())
    held = first.mean_memory_use * spans[0] + second.mean_memory_use * spans[1]
    return replace(
        first, output=trace.output, finish=finish, predicted=predicted, evictions=evictions,
        attempts=np.concatenate([first.attempts, attempts]), capacity=capacity,
        peak_tokens=first.peak_tokens + second.peak_tokens, mean_memory_use=held / (capacity * max(length, 1e-12)),
        wall_s=first.wall_s + second.wall_s, status=first.status if first.status != "ok" else second.status,
        reason=first.reason or second.reason, more=more | {"elapsed_s": length},
    )  # fmt: skip
