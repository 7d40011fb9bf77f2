"""The exact optimum of a few requests by exhaustive search, for the tests alone."""

from collections.abc import Sequence
from functools import cache
from itertools import product


def optimum(
    requests: Sequence[tuple[int, int, int]],
    capacity: int,
    weights: Sequence[int] | None = None,
    makespan: bool = False,
) -> int:
    """Least total (weighted) latency, or least makespan, of (arrival, prompt, output) requests.

    Every set of waiting requests is tried at every epoch; nothing is left out but schedules already worse.
    """
    n = len(requests)
    weight = list(weights) if weights is not None else [1] * n
    horizon = max(a for a, _, _ in requests) + sum(o for _, _, o in requests)
    best = [10**9]

    def search(epoch: int, first: int, waiting: int, use: list[int], cost: int) -> None:
        left = [i for i in range(n) if waiting >> i & 1]
        soonest = [max(epoch, requests[i][0]) + requests[i][2] for i in left]
        if makespan:
            bound = max([cost, *soonest])
        else:
            bound = cost + sum(weight[i] * (c - requests[i][0]) for i, c in zip(left, soonest, strict=True))
        if bound >= best[0]:
            return
        if not waiting:
            best[0] = cost
            return
        for i in range(first, n):
            a, s, o = requests[i]
            if not waiting >> i & 1 or a > epoch:
                continue
            if all(use[epoch + u] + s + u <= capacity for u in range(1, o + 1)):
                for u in range(1, o + 1):
                    use[epoch + u] += s + u
                new = max(cost, epoch + o) if makespan else cost + weight[i] * (epoch + o - a)
                search(epoch, i + 1, waiting & ~(1 << i), use, new)
                for u in range(1, o + 1):
                    use[epoch + u] -= s + u
        if epoch < horizon:
            search(epoch + 1, 0, waiting, use, cost)

    search(0, 0, (1 << n) - 1, [0] * (2 * horizon + 2), 0)
    return best[0]


def optimum_with_kills(requests: Sequence[tuple[int, int, int]], capacity: int, weights: Sequence[int]) -> int:
    """Least total weighted latency where a running request may also be killed at any epoch, to start over later."""
    end = max(a for a, _, _ in requests) + sum(o for _, _, o in requests)

    @cache
    def rest(epoch: int, tokens: tuple[int, ...]) -> int:
        """Least cost from an epoch on; a waiting request has 0 tokens, a finished one all of them."""
        present = [i for i, (a, _, o) in enumerate(requests) if a <= epoch and tokens[i] < o]
        if all(t == o for t, (_, _, o) in zip(tokens, requests, strict=True)):
            return 0
        if epoch == end:
            return 10**9
        least = 10**9
        # After the round a present request has one token more, or its first token of a fresh attempt, or none.
        for after in product(*({0, 1, tokens[i] + 1} for i in present)):
            if sum(requests[i][1] + u for i, u in zip(present, after, strict=True) if u) <= capacity:
                new = list(tokens)
                for i, u in zip(present, after, strict=True):
                    new[i] = u
                least = min(least, rest(epoch + 1, tuple(new)))
        return sum(weights[i] for i in present) + least

    return rest(0, (0,) * len(requests))
