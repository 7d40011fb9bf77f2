"""Prefix caching: a tree of shared runs of blocks, evicted block by block in the order in which they were freed.

A node is a run of blocks that every request below it shares; each request also has a leaf of its own. Freed nodes
join a queue, leaves before their parents, and give up their last blocks first, as vLLM's free list does, so the
blocks of a node that are still there are always its first. A request that finds a node being filled by another
keeps copies of its own, as an engine does whose blocks are shared only once they are full.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit import njit

FREE, FRESH, HEAD, TAIL = range(4)
NONE = -1


class Cache(NamedTuple):
    """The state of the block pool; nodes 0 … n-1 are the leaves of the n requests.

    ``pool`` holds the free blocks, those of them never written or forgotten (taken first), and both ends of the queue.
    """

    pool: Any  # (4,)
    parent: Any  # (m,) node above, or NONE
    depth: Any  # (m,) blocks before the node; of a leaf, before the request's own blocks
    size: Any  # (m,) blocks of the node, 0 for a leaf
    resident: Any  # (m,) its blocks that hold their content
    users: Any  # (m,) running requests that use it
    before: Any  # (m,) neighbours in the queue
    after: Any  # (m,)
    deepest: Any  # (n,) the deepest shared node that a running request uses, or NONE
    filling: Any  # (n,) 1 while its shared nodes are the request's to fill
    granted: Any  # (n,) prompt tokens found in the cache by the trace's word alone
    path: Any  # room for the nodes above a leaf


def empty_cache(requests: int, blocks: int) -> Cache:
    """A pool of free blocks, and no sharing: each request has its leaf alone."""
    zeros = np.zeros(requests, np.int64)
    none = np.full(requests, NONE, np.int64)
    pool = np.array([blocks, blocks, NONE, NONE])
    return Cache(
        pool, none, zeros, zeros.copy(), zeros.copy(), zeros.copy(), none.copy(), none.copy(), none.copy(),
        zeros.copy(), zeros.copy(), np.zeros(1, np.int64),
    )  # fmt: skip


@njit()
def unlink(cache: Cache, node: int) -> None:
    """Take a node out of the queue of freed ones; its blocks are no longer free."""
    before, after = cache.before[node], cache.after[node]
    if before == NONE and cache.pool[HEAD] != node:
        return
    if before == NONE:
        cache.pool[HEAD] = after
    else:
        cache.after[before] = after
    if after == NONE:
        cache.pool[TAIL] = before
    else:
        cache.before[after] = before
    cache.before[node], cache.after[node] = NONE, NONE
    cache.pool[FREE] -= cache.resident[node]


@njit()
def enqueue(cache: Cache, node: int) -> None:
    """Free the blocks of a node, keeping their content until others need them."""
    cache.pool[FREE] += cache.resident[node]
    if cache.resident[node] == 0:
        return
    tail = cache.pool[TAIL]
    cache.before[node], cache.after[node] = tail, NONE
    if tail == NONE:
        cache.pool[HEAD] = node
    else:
        cache.after[tail] = node
    cache.pool[TAIL] = node


@njit()
def allocate(cache: Cache, blocks: int) -> None:
    """Take free blocks: empty ones first, then the last blocks of the nodes freed longest ago."""
    pool = cache.pool
    pool[FREE] -= blocks
    fresh = min(blocks, pool[FRESH])
    pool[FRESH] -= fresh
    blocks -= fresh
    while blocks > 0:
        node = pool[HEAD]
        some = min(blocks, cache.resident[node])
        cache.resident[node] -= some
        blocks -= some
        if cache.resident[node] == 0:
            pool[HEAD] = cache.after[node]
            if pool[HEAD] == NONE:
                pool[TAIL] = NONE
            else:
                cache.before[pool[HEAD]] = NONE
            cache.after[node] = NONE


@njit()
def climb(cache: Cache, i: int) -> int:
    """Write the shared nodes above leaf i to ``path``, the deepest first; return their number."""
    length, node = 0, cache.parent[i]
    while node != NONE:
        cache.path[length] = node
        length += 1
        node = cache.parent[node]
    return length


@njit()
def found(cache: Cache, i: int) -> tuple[int, int]:
    """Blocks of request i's context that the cache holds, and how many of them others use now."""
    hits, shared = 0, 0
    for x in range(climb(cache, i) - 1, -1, -1):
        node = cache.path[x]
        hits += cache.resident[node]
        if cache.users[node] > 0:
            shared += cache.resident[node]
        if cache.resident[node] < cache.size[node]:
            return hits, shared
    return (hits + cache.resident[i] if cache.depth[i] == hits else hits), shared


@njit()
def join(cache: Cache, i: int) -> int:
    """Let request i use what the cache holds of its context; return those blocks.

    From the first node that is not whole on, the request fills the shared nodes itself, or, where another already
    does, keeps blocks of its own.
    """
    hits, deepest, fills = 0, NONE, 1
    for x in range(climb(cache, i) - 1, -1, -1):
        node = cache.path[x]
        whole = cache.resident[node] == cache.size[node]
        if not whole and cache.users[node] > 0:
            fills = 0
        if cache.users[node] == 0:
            unlink(cache, node)
        if hits == cache.depth[node]:
            hits += cache.resident[node]
        elif cache.users[node] == 0:
            forget(cache, node)
        cache.users[node] += 1
        deepest = node
        if fills == 0:
            break
    start = hits if fills == 0 or deepest == NONE else cache.depth[deepest] + cache.size[deepest]
    own = cache.resident[i]
    unlink(cache, i)
    if own > 0 and cache.depth[i] == start == hits:
        hits += own
    else:
        forget(cache, i)
    cache.depth[i], cache.deepest[i], cache.filling[i] = start, deepest, fills
    return hits


@njit()
def forget(cache: Cache, node: int) -> None:
    """Give back the blocks of an unlinked node, and their content with them."""
    cache.pool[FREE] += cache.resident[node]
    cache.pool[FRESH] += cache.resident[node]
    cache.resident[node] = 0


@njit()
def fill(cache: Cache, i: int, blocks: int) -> None:
    """Note that the first ``blocks`` blocks of request i's context are computed."""
    node = cache.deepest[i]
    if cache.filling[i] == 0:
        return
    while node != NONE:
        cache.resident[node] = max(cache.resident[node], min(cache.size[node], blocks - cache.depth[node]))
        if cache.depth[node] <= 0:
            break
        node = cache.parent[node]


@njit()
def release(cache: Cache, i: int, blocks: int) -> None:
    """Give back the ``blocks`` blocks of request i's context, the last first."""
    cache.resident[i] = max(0, blocks - cache.depth[i])
    enqueue(cache, i)
    node = cache.deepest[i]
    while node != NONE:
        cache.users[node] -= 1
        if cache.users[node] == 0:
            enqueue(cache, node)
        node = cache.parent[node]
    cache.deepest[i] = NONE
