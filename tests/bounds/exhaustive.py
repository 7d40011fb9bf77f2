"""The exact optimum of a few requests by exhaustive search, for the tests alone."""

from collections.abc import Sequence


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
