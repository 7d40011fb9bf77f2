"""The tree of prompt prefixes that a trace tells of.

Known forms: ``hash_ids`` (a list per request, one id for each equal run of prompt tokens, Mooncake's form);
``prefix_ref_seq`` with ``prefix_hit_tokens`` (how many tokens the prompt shares with which earlier request of its
session); ``prefix_hit_tokens`` alone (found, but nobody says where: granted, with no memory saved).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..policy.view import records
from ..trace import Ints, Trace
from .engine import NODE, NONE


def shares_prefixes(trace: Trace) -> bool:
    """True if the trace says what its prompts share."""
    return "hash_ids" in trace.more or "prefix_hit_tokens" in trace.more


def share_nothing(requests: int) -> tuple[Any, Ints]:
    """Nodes of requests with nothing in common but their own past: a leaf each; no tokens granted."""
    leaf = np.zeros(requests, np.int64)
    return _nodes(leaf + NONE, leaf, leaf), leaf


def share_tree(trace: Trace, order: Ints, size: int) -> tuple[Any, Ints]:
    """The nodes that a trace tells of, the first n the leaves of its requests, and the tokens granted to each.

    Parameters
    ----------
    order : shape (n,), row of the trace of each request.
    size : tokens per block.
    """
    if "hash_ids" in trace.more:
        return _nodes(*_by_hash(trace, order, size)), np.zeros(len(order), np.int64)
    if "prefix_ref_seq" in trace.more and trace.session is not None:
        return _nodes(*_by_reference(trace, order, size)), np.zeros(len(order), np.int64)
    nodes, granted = share_nothing(len(order))
    if "prefix_hit_tokens" in trace.more:
        granted = trace.more["prefix_hit_tokens"].astype(np.int64)[order]
    return nodes, granted


def _nodes(parent: Ints, depth: Ints, size: Ints) -> Any:
    nodes = records(len(parent), NODE)
    nodes["parent"], nodes["depth"], nodes["length"] = parent, depth, size
    nodes["before"] = nodes["after"] = NONE
    return nodes


def height(parent: Ints) -> int:
    """The greatest number of nodes above one."""
    above, node = np.zeros(len(parent), np.int64), np.array(parent)
    while np.any(node >= 0):
        above += node >= 0
        node = np.where(node >= 0, parent[node], NONE)
    return int(above.max(initial=0))


def _by_hash(trace: Trace, order: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """Nodes 0 … n-1 are the leaves; one more for each id."""
    n, ids = len(order), [list(row) for row in trace.more["hash_ids"][order]]
    unit = max((-(-int(p) // len(row)) for p, row in zip(trace.prompt[order], ids, strict=True) if len(row)), default=1)
    unit = 1 << (unit - 1).bit_length()
    parent, depth, width = [NONE] * n, [0] * n, [0] * n
    node_of: dict[int, int] = {}
    for i, row in enumerate(ids):
        prompt, above = int(trace.prompt[order[i]]), NONE
        for j, name in enumerate(row):
            end = min((j + 1) * unit, prompt) // size
            if name not in node_of:
                node_of[name] = len(parent)
                parent.append(above)
                depth.append(j * unit // size)
                width.append(0)
            above = node_of[name]
            width[above] = max(width[above], end - depth[above])
        parent[i], depth[i] = above, prompt // size if above != NONE else 0
    return np.array(parent), np.array(depth), np.array(width)


def _by_reference(trace: Trace, order: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """Split the path of the request referred to where the shared prefix ends."""
    assert trace.session is not None
    n = len(order)
    clock = trace.session.astype(np.int64)
    sub = trace.more["sub"].astype(np.int64) if "sub" in trace.more else np.zeros(n, np.int64)
    number = trace.more["seq"].astype(np.int64) if "seq" in trace.more else np.arange(n)
    row_of = {(int(clock[r]), int(sub[r]), int(number[r])): r for r in range(n)}
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    parent, depth, end = [NONE] * n, [0] * n, [0] * n
    for row in np.lexsort((number, sub, clock)):
        i, prompt = int(place[row]), int(trace.prompt[row]) // size
        shared = min(int(trace.more["prefix_hit_tokens"][row]) // size, prompt)
        other = row_of.get((int(clock[row]), int(sub[row]), int(trace.more["prefix_ref_seq"][row])))
        above = NONE
        if shared > 0 and other is not None and other != row:
            above = _split(parent, depth, end, int(place[other]), shared, n)
        parent[i], depth[i], end[i] = above, 0 if above == NONE else end[above], prompt
    width = np.array(end) - np.array(depth)
    width[:n] = 0
    return np.array(parent), np.array(depth), width


def _split(parent: list[int], depth: list[int], end: list[int], leaf: int, shared: int, n: int) -> int:
    """The node of ``leaf``'s path that ends at ``shared`` blocks, made by splitting one where there is none."""
    node = leaf
    while node != NONE and depth[node] >= shared:
        node = parent[node]
    if node == NONE or (node >= n and end[node] <= shared):
        return node
    if end[node] <= depth[node]:
        return parent[node]
    cut = min(shared, end[node])
    parent.append(parent[node])
    depth.append(depth[node])
    end.append(cut)
    parent[node], depth[node] = len(parent) - 1, cut
    return len(parent) - 1
