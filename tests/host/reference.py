"""A slow and obvious rounds host, in 40 lines: every request at every round, no event ever skipped."""

from math import ceil

import numpy as np

from plimsoll.policy.protocol import SKIP, START
from plimsoll.policy.view import REQUEST, RUNNING, View, records


def schedule(policy, trace, capacity, belief, rounds=500):
    """Start, finish and evictions of every request, and the use of every round. ``policy`` brings ``evict``."""
    r = records(len(trace), REQUEST)
    r["prompt"], r["arrival"], r["predicted"], r["kind"] = trace.prompt, trace.arrival, belief.predicted, belief.kind
    start, finish, waiting, running, usage = [-1] * len(r), [-1] * len(r), [], [], []

    def look():
        """What the policy sees at epoch ``now``."""
        batch, none = records(len(running), RUNNING), np.zeros((0, 1))
        for x, i in enumerate(running):
            end = start[i] + max(1, ceil(r[i].predicted) - r[i].generated)
            batch[x] = (i, max(end, now + 1), r[i].prompt + r[i].generated - start[i])
        batch = batch[np.argsort(batch["end"], kind="mergesort")]
        used = sum(b.offset + now + 1 for b in batch)
        return View(float(now), now, capacity, 1, capacity - used - 1, max(0, used - capacity), evicted, r, batch,
                    belief.survival, none, none[:, 0], np.zeros(6, np.int64))  # fmt: skip

    while -1 in finish and len(usage) < rounds:
        now, evicted = len(usage), 0
        for i in [i for i in running if r[i].generated + now - start[i] >= trace.output[i]]:
            finish[i] = now
            running.remove(i)
        waiting += [i for i in range(len(r)) if trace.arrival[i] == now]
        while look().over > 0:
            out = np.zeros(len(r), np.int64)
            for i in out[: policy.evict(look(), out)].tolist():
                tokens = r[i].generated + now - start[i]
                r[i].predicted, r[i].evictions = max(r[i].predicted, tokens + 1), r[i].evictions + 1
                r[i].generated = tokens if getattr(policy, "recompute", False) else 0
                waiting, running = [*waiting, i], [j for j in running if j != i]
                evicted += 1
        for i in sorted(waiting, key=lambda i: (policy.rank(look(), i), i)):
            verdict = policy.admit(look(), i)
            if verdict == START:
                start[i], r[i].turn = now, 1 + max(r["turn"])
                waiting, running = [j for j in waiting if j != i], [*running, i]
            elif verdict != SKIP:
                break
        usage.append(sum(r[i].prompt + r[i].generated + now + 1 - start[i] for i in running))
    return start, finish, r["evictions"].tolist(), usage
