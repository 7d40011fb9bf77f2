"""Fairness between clients: the virtual token counter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import njit
from ..policy import SKIP, START, STOP, Plan, View, greedy_wait
from ..policy.view import Columns

CLIENTS, STEP, LEFT, SERVED = range(4)  # memory: clients, step of the last count, counter of the last to leave, batch
COUNTERS = 4  # then a counter and a number of waiting requests per client, then the batch of the last count
CHARGED, SEEN = range(2)  # columns: output tokens charged so far, the count in which it was last seen running


class Vtc(NamedTuple):
    """Virtual token counter: the waiting client that was served least goes next, first come first served within.

    prompt_weight : charge of a prompt token, when its request starts.
    output_weight : charge of an output token, as it is generated.
    recompute : keep an evicted request's tokens and rebuild their KV, instead of starting over.

    Tokens are charged as they appear, so no prediction is used. A reference, not fast: it looks through the queue.
    """

    prompt_weight: float = 1.0
    output_weight: float = 2.0
    recompute: bool = False

    ranges = {"prompt_weight": (0, float("inf")), "output_weight": (0, float("inf"))}
    uses = "client"
    guarantee = "clients with work waiting differ in service by at most 2·max(w_p·longest prompt, w_q·M)"
    source = "arXiv 2401.00588, Algorithm 2"

    def plan(self, requests: Columns, capacity: int, rng: np.random.Generator) -> Plan:
        """Counters of the clients, and two columns of each request."""
        clients = int(requests["client"].max(initial=0)) + 1
        memory = np.zeros(COUNTERS + 2 * clients + len(requests))
        memory[CLIENTS] = clients
        return Plan(np.zeros((len(requests), 2)), memory)

    def rank(self, view: View, i: int) -> float:
        """The arrival; a client without work waiting is lifted to the least counter of those that have."""
        charge(view, self.output_weight)
        memory, mine = view.memory, COUNTERS + view.requests[i].client
        clients = int(memory[CLIENTS])
        if memory[mine + clients] == 0.0:
            least = least_served(view)
            floor = memory[LEFT] if least < 0 else memory[COUNTERS + least]
            memory[mine] = max(memory[mine], floor)
        memory[mine + clients] += 1.0
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        """SKIP to the client served least; its first request starts if it fits now, else nobody does."""
        charge(view, self.output_weight)
        if view.requests[i].client != least_served(view):
            return SKIP
        if greedy_wait(view, i) != START:
            return STOP
        memory, mine = view.memory, COUNTERS + view.requests[i].client
        memory[mine] += self.prompt_weight * view.requests[i].prompt
        memory[mine + int(memory[CLIENTS])] -= 1.0
        memory[LEFT] = memory[mine]
        view.columns[i, CHARGED] = view.requests[i].generated
        return START


@njit()
def least_served(view: View) -> int:
    """The client with the least counter among those with work waiting; −1 if nobody has."""
    clients, least = int(view.memory[CLIENTS]), -1
    for c in range(clients):
        waiting = view.memory[COUNTERS + clients + c] > 0.0
        if waiting and (least < 0 or view.memory[COUNTERS + c] < view.memory[COUNTERS + least]):
            least = c
    return least


@njit()
def charge(view: View, weight: float) -> None:
    """Charge the output tokens generated since the last count; who left the batch since then ran until now."""
    memory, columns = view.memory, view.columns
    passed = view.step - memory[STEP]
    batch = memory[COUNTERS + 2 * int(memory[CLIENTS]) :]
    for r in view.running:
        columns[r.id, SEEN] = view.step + 1.0
    for x in range(int(memory[SERVED])):
        i = int(batch[x])
        if columns[i, SEEN] != view.step + 1.0:
            memory[COUNTERS + view.requests[i].client] += weight * passed
    count = 0
    for r in view.running:
        tokens = r.offset + view.step - view.requests[r.id].prompt
        new = max(0.0, tokens - columns[r.id, CHARGED])
        memory[COUNTERS + view.requests[r.id].client] += weight * new
        columns[r.id, CHARGED] = tokens
        batch[count] = r.id
        count += 1
    memory[SERVED], memory[STEP] = count, view.step
