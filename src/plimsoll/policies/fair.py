"""Fairness between clients: the virtual token counter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import njit
from ..policy import NEVER, RERANK, START, STOP, Plan, View, greedy_wait
from ..policy.view import Columns

NOBODY = -1.0
# Memory: of the whole; then of each client. A client's waiting requests, and all that ran at the last count, are
# linked by columns.
CLIENTS, STEP, LEFT, RAN, PASS, FRESH, NEXT_UP, HEAD = range(8)  # LEFT: counter of the client last let in
COUNTER, FIRST, LAST, EACH = range(4)
# Columns: output tokens charged so far, the step of the count that saw it running, who ran and who waits beside it,
# and the ranking that saw it waiting (0: it does not wait).
CHARGED, SEEN, NEXT_RAN, NEXT, WAITS = range(5)


class Vtc(NamedTuple):
    """Virtual token counter: the waiting client that was served least goes next, first come first served within.

    prompt_weight : charge of a prompt token, when its request starts.
    output_weight : charge of an output token, as it is generated.
    recompute : keep an evicted request's tokens and rebuild their KV, instead of starting over.

    Tokens are charged as they appear, so no prediction is used. Ties go to the lower client number.
    With one client it is first come, first served.
    """

    prompt_weight: float = 1.0
    output_weight: float = 2.0
    recompute: bool = False

    ranges = {"prompt_weight": (0, float("inf")), "output_weight": (0, float("inf"))}
    uses = "client"
    guarantee = "clients with work waiting differ in service by at most 2·max(w_p·longest prompt, w_q·M)"
    source = "arXiv 2401.00588"

    def plan(self, requests: Columns, capacity: int, rng: np.random.Generator) -> Plan:
        """Counters and queues of the clients, and the columns of each request."""
        clients = int(requests["client"].max(initial=0)) + 1
        memory = np.zeros(HEAD + EACH * clients)
        memory[CLIENTS], memory[PASS], memory[RAN] = clients, 1.0, NOBODY
        memory[HEAD + FIRST :: EACH] = NOBODY
        return Plan(np.tile([0.0, 0.0, NOBODY, NOBODY, 0.0], (len(requests), 1)), memory)

    def rank(self, view: View, i: int) -> float:
        """The arrival, but whoever is to start comes first. A client that comes back without work waiting is lifted.

        It is lifted to the least counter of those that have work waiting, or to that of the client last let in.
        """
        memory = view.memory
        if memory[CLIENTS] == 1.0:
            return view.requests[i].arrival
        if view.columns[i, WAITS] > 0.0:
            view.columns[i, WAITS] = memory[PASS]
            return -1e300 if memory[NEXT_UP] == i else view.requests[i].arrival
        charge(view, self.output_weight)
        at = place(view, i)
        if memory[at + FIRST] == NOBODY:
            least = least_served(view)
            floor = memory[LEFT] if least < 0 else memory[HEAD + EACH * least + COUNTER]
            memory[at + COUNTER] = max(memory[at + COUNTER], floor)
        join(view, i)
        return view.requests[i].arrival

    def admit(self, view: View, i: int) -> int:
        """The first request of the client served least starts if it fits now, else nobody does."""
        memory = view.memory
        if memory[CLIENTS] == 1.0:
            return greedy_wait(view, i)
        charge(view, self.output_weight)
        if memory[FRESH] == 1.0:  # all that wait were just ranked: who was not has given up
            memory[FRESH] = 0.0
            while view.columns[first_of(view, least_served(view)), WAITS] != memory[PASS]:
                remove(view, first_of(view, least_served(view)))
        if view.columns[i, WAITS] == 0.0:  # the host did not start it although it was let in
            memory[place(view, i) + COUNTER] -= self.prompt_weight * view.requests[i].prompt
            join(view, i)
        first = first_of(view, least_served(view))
        wait = greedy_wait(view, first)
        if wait != START:
            return STOP if several_wait(view) else wait
        if first != i:
            memory[PASS] += 1.0
            memory[FRESH], memory[NEXT_UP] = 1.0, first
            return RERANK
        let_in(view, i, self.prompt_weight)
        return START

    def wake(self, view: View) -> float:
        """Never; but being asked at every event, it sees who finishes while nobody waits."""
        if view.memory[CLIENTS] > 1.0:
            charge(view, self.output_weight)
        return NEVER


@njit()
def place(view: View, i: int) -> int:
    """Where the figures of request i's client begin."""
    return HEAD + EACH * view.requests[i].client


@njit()
def first_of(view: View, client: int) -> int:
    """The first waiting request of a client, −1 if it has none."""
    return int(view.memory[HEAD + EACH * client + FIRST])


@njit()
def least_served(view: View) -> int:
    """The client with the least counter among those with work waiting; −1 if nobody has."""
    least, counter = -1, 0.0
    for c in range(int(view.memory[CLIENTS])):
        at = HEAD + EACH * c
        if view.memory[at + FIRST] != NOBODY and (least < 0 or view.memory[at + COUNTER] < counter):
            least, counter = c, view.memory[at + COUNTER]
    return least


@njit()
def several_wait(view: View) -> bool:
    """True if more than one client has work waiting."""
    count = 0
    for c in range(int(view.memory[CLIENTS])):
        count += view.memory[HEAD + EACH * c + FIRST] != NOBODY
    return count > 1


@njit()
def earlier(view: View, i: int, j: int) -> bool:
    """True if request i came before j."""
    a, b = view.requests[i].arrival, view.requests[j].arrival
    return a < b or (a == b and i < j)


@njit()
def join(view: View, i: int) -> None:
    """Put request i into its client's queue, which is in the order of arrival."""
    memory, columns, at = view.memory, view.columns, place(view, i)
    columns[i, WAITS], columns[i, NEXT] = memory[PASS], NOBODY
    first, last = int(memory[at + FIRST]), int(memory[at + LAST])
    if first < 0:
        memory[at + FIRST] = memory[at + LAST] = i
    elif earlier(view, i, first):
        columns[i, NEXT] = first
        memory[at + FIRST] = i
    elif earlier(view, last, i):
        columns[last, NEXT] = i
        memory[at + LAST] = i
    else:
        before = first
        while earlier(view, int(columns[before, NEXT]), i):
            before = int(columns[before, NEXT])
        columns[i, NEXT] = columns[before, NEXT]
        columns[before, NEXT] = i


@njit()
def remove(view: View, i: int) -> None:
    """Take request i out of its client's queue; most often it is the first."""
    memory, columns, at = view.memory, view.columns, place(view, i)
    before, x = -1, int(memory[at + FIRST])
    while x != i:
        before, x = x, int(columns[x, NEXT])
    if before < 0:
        memory[at + FIRST] = columns[i, NEXT]
    else:
        columns[before, NEXT] = columns[i, NEXT]
    if columns[i, NEXT] == NOBODY:
        memory[at + LAST] = before
    columns[i, WAITS] = 0.0


@njit()
def let_in(view: View, i: int, prompt_weight: float) -> None:
    """Request i, the first of its client, starts: charge its prompt."""
    memory, columns, at = view.memory, view.columns, place(view, i)
    remove(view, i)
    memory[at + COUNTER] += prompt_weight * view.requests[i].prompt
    memory[LEFT] = memory[at + COUNTER]
    columns[i, CHARGED] = view.requests[i].generated
    columns[i, NEXT_RAN] = memory[RAN]
    memory[RAN] = i


@njit()
def charge(view: View, weight: float) -> None:
    """Charge the output tokens made since the last count; who left the batch since then ran until now."""
    memory, columns = view.memory, view.columns
    passed = view.step - memory[STEP]
    for r in view.running:
        columns[r.id, SEEN] = view.step + 1.0
    x = int(memory[RAN])
    while x >= 0:
        if columns[x, SEEN] != view.step + 1.0:
            memory[place(view, x) + COUNTER] += weight * passed
        x = int(columns[x, NEXT_RAN])
    memory[RAN], memory[STEP] = NOBODY, view.step
    for r in view.running:
        tokens = r.offset + view.step - view.requests[r.id].prompt
        memory[place(view, r.id) + COUNTER] += weight * max(0.0, tokens - columns[r.id, CHARGED])
        columns[r.id, CHARGED] = tokens
        columns[r.id, NEXT_RAN] = memory[RAN]
        memory[RAN] = r.id
