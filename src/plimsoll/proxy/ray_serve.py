"""A request router for Ray Serve: a completion goes to the replica whose expected work is done soonest.

The fleet's router ``least-work`` as far as it can be seen from outside: of the requests in flight at a replica the
whole expected volume counts, for how far they are is not known here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, cast

from ray.serve.request_router import (  # pyright: ignore[reportMissingImports]
    PendingRequest,
    ReplicaID,
    RequestRouter,
    RunningReplica,
)

from ..errors import InputError
from .law import FIRST_GUESS
from .request import read_request

CHARACTERS_PER_TOKEN = 4.0
UNTAKEN_S = 60.0  # a request that no replica took for so long counts no more, until it is ranked again


class LeastWork(RequestRouter):  # pyright: ignore[reportUntypedBaseClass]
    """For ``RequestRouterConfig(request_router_class="plimsoll.proxy.ray_serve:LeastWork")``.

    Its ``request_router_kwargs`` are those of ``initialize_state``. Replicas that are unlike say so in
    ``record_routing_stats``: ``{"volume_per_s": 1.8e6}``, token-steps a second.
    """

    def initialize_state(self, output_tokens: float = FIRST_GUESS, **unknown: Any) -> None:
        """Called by Ray Serve.

        Parameters
        ----------
        output_tokens : expected of a request that sets no limit, and at most of one that does.

        Raises
        ------
        InputError
            For an unknown keyword, or a Ray that does not tell when a request has completed.
        """
        if unknown:
            raise InputError(f"LeastWork: no setting {next(iter(unknown))}; it has output_tokens")
        if not hasattr(RequestRouter, "on_request_completed"):
            raise InputError("LeastWork needs a Ray Serve that tells a router of completed requests (2.55 or later)")
        self.output_tokens = output_tokens
        self.inside: dict[Any, dict[str, float]] = {}
        self.chosen: dict[str, PendingRequest] = {}

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """The candidates one by one, the one done soonest first; fewer requests where equal."""
        self._forget_stale()
        ranked = sorted(candidate_replicas, key=self._wait)
        if pending_request is not None and ranked:
            pending_request.routing_context.should_backoff = True
            self._book(pending_request, ranked[0].replica_id)
            self.chosen[pending_request.metadata.internal_request_id] = pending_request
        return [[replica] for replica in ranked]

    def on_request_routed(self, pending_request: PendingRequest, replica_id: ReplicaID, result: Any) -> None:
        """A replica has taken the request, maybe another one than was wanted."""
        self._book(pending_request, replica_id)
        self.chosen.pop(pending_request.metadata.internal_request_id, None)

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        """It has been answered, or has failed."""
        self._strike(internal_request_id)

    def on_replica_actor_died(self, replica_id: ReplicaID) -> None:
        """Nothing is in flight there any more."""
        self.inside.pop(replica_id, None)
        super().on_replica_actor_died(replica_id)

    def _book(self, request: PendingRequest, replica_id: ReplicaID) -> None:
        """Count the request at a replica, and at no other."""
        name = request.metadata.internal_request_id
        self._strike(name)
        volume = expected_volume(request.args, request.kwargs, self.output_tokens)
        self.inside.setdefault(replica_id, {})[name] = volume

    def _strike(self, name: str) -> None:
        self.chosen.pop(name, None)
        for there in self.inside.values():
            there.pop(name, None)

    def _forget_stale(self) -> None:
        """Strike out requests that were given up before any replica took them."""
        for name, request in list(self.chosen.items()):
            if request.future.cancelled() or time.time() - request.created_at > UNTAKEN_S:
                self._strike(name)

    def _wait(self, replica: RunningReplica) -> tuple[float, int]:
        there = self.inside.get(replica.replica_id, {})
        return sum(there.values()) / float(replica.routing_stats.get("volume_per_s", 1.0)), len(there)


def expected_volume(args: Any, kwargs: Mapping[Any, Any], output_tokens: float) -> float:
    """Token-steps that a call is expected to need: s·o + o(o+1)/2 of the first completion request among its arguments.

    A request may be a mapping in the form of the OpenAI API, or an object that has ``model_dump``. A call without one
    counts as a request without a prompt.
    """
    for given in (*args, *kwargs.values()):
        fields = given.model_dump(exclude_none=True) if hasattr(given, "model_dump") else given
        if isinstance(fields, Mapping) and ({"prompt", "messages"} & set(cast(Mapping[str, Any], fields))):
            asked = read_request(json.dumps(fields, default=str).encode())
            if asked is not None:
                prompt = asked.characters / CHARACTERS_PER_TOKEN if asked.tokens is None else asked.tokens
                output = output_tokens if asked.limit is None else min(float(asked.limit), output_tokens)
                return asked.sequences * (prompt * output + output * (output + 1) / 2)
    return output_tokens * (output_tokens + 1) / 2
