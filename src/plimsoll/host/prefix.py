"""The blocks of the serving host, and prefix caching: a tree of shared runs of blocks.

A node is a run of blocks that every request below it shares; each request also has a leaf of its own. Freed nodes
join a queue, leaves before their parents, and give up their last blocks first, as vLLM's free list does, so the
blocks of a node that are still there are always its first. A block that is not full holds nothing that could be found
and is taken before any other. A request that finds a node being filled by another
keeps copies of its own, as in an engine whose blocks are shared only once they are full.
"""

from __future__ import annotations

from ..jit import bare
from .engine import NONE, Engine


@bare()
def unlink(e: Engine, node: int) -> None:
    """Take a node out of the queue of freed ones; its blocks are no longer free."""
    c, this = e.clock[0], e.nodes[node]
    if this.before == NONE and c.oldest != node:
        return
    if this.before == NONE:
        c.oldest = this.after
    else:
        e.nodes[this.before].after = this.after
    if this.after == NONE:
        c.newest = this.before
    else:
        e.nodes[this.after].before = this.before
    this.before, this.after = NONE, NONE
    c.free -= this.resident


@bare()
def enqueue(e: Engine, node: int) -> None:
    """Free the blocks of a node, keeping their content until others need them."""
    c, this = e.clock[0], e.nodes[node]
    if this.resident == 0:
        return
    c.free += this.resident
    this.before, this.after = c.newest, NONE
    if c.newest == NONE:
        c.oldest = node
    else:
        e.nodes[c.newest].after = node
    c.newest = node


@bare()
def allocate(e: Engine, blocks: int) -> None:
    """Take free blocks: empty ones first, then the last blocks of the nodes freed longest ago."""
    c = e.clock[0]
    c.free -= blocks
    fresh = min(blocks, c.fresh)
    c.fresh -= fresh
    blocks -= fresh
    while blocks > 0:
        this = e.nodes[c.oldest]
        some = min(blocks, this.resident)
        this.resident -= some
        blocks -= some
        if this.resident == 0:
            c.oldest = this.after
            this.after = NONE
            if c.oldest == NONE:
                c.newest = NONE
            else:
                e.nodes[c.oldest].before = NONE


@bare()
def forget(e: Engine, node: int) -> None:
    """Give back the blocks of an unlinked node, and their content with them."""
    give(e, e.nodes[node].resident)
    e.nodes[node].resident = 0


@bare()
def give(e: Engine, blocks: int) -> None:
    """Give back blocks without content."""
    e.clock[0].free += blocks
    e.clock[0].fresh += blocks


@bare()
def climb(e: Engine, i: int) -> int:
    """Write the nodes that request i shares whole to ``path``, the deepest first; return their number."""
    length, node = 0, e.nodes[i].parent
    while node != NONE:
        this = e.nodes[node]
        if this.depth + this.length <= e.jobs[i].extent:
            e.path[length] = node
            length += 1
        node = this.parent
    return length


@bare()
def cost(e: Engine, i: int, blocks: int) -> int:
    """Free blocks that request i takes when it starts with ``blocks`` blocks: what ``join`` leaves to be found.

    What it finds in use by others costs nothing; what it finds in the queue of freed nodes is free no longer.
    """
    leaf = e.nodes[i]
    hits, start, taken, fills = 0, 0, 0, True
    for x in range(climb(e, i) - 1, -1, -1):
        this = e.nodes[e.path[x]]
        fills = this.resident == this.length or this.users == 0
        if hits == this.depth:
            hits += this.resident
            taken += this.resident if this.users == 0 else 0
        start = this.depth + this.length if fills else hits
        if not fills:
            break
    if leaf.resident > 0 and leaf.depth == start and start == hits:
        hits += leaf.resident
        taken += leaf.resident
    return max(0, blocks - hits) + taken


@bare()
def join(e: Engine, i: int) -> int:
    """Let request i use what the cache holds of its context; return those blocks.

    From the first node that is not whole on, the request fills the shared nodes itself, or, where another already
    does, keeps blocks of its own.
    """
    job, leaf = e.jobs[i], e.nodes[i]
    hits, start, deepest, fills = 0, 0, NONE, True
    for x in range(climb(e, i) - 1, -1, -1):
        node = e.path[x]
        this = e.nodes[node]
        if this.resident < this.length and this.users > 0:
            fills = False
        if this.users == 0:
            unlink(e, node)
        if hits == this.depth:
            hits += this.resident
        elif this.users == 0:
            forget(e, node)
        this.users += 1
        deepest = node
        start = this.depth + this.length
        if not fills:
            start = hits
            break
    unlink(e, i)
    if leaf.resident > 0 and leaf.depth == start and start == hits:
        hits += leaf.resident
    else:
        forget(e, i)
    leaf.depth, job.deepest, job.fills = start, deepest, fills
    return hits


@bare()
def fill(e: Engine, i: int, blocks: int) -> None:
    """Note that the first ``blocks`` blocks of request i's context are computed."""
    node = e.jobs[i].deepest if e.jobs[i].fills else NONE
    while node != NONE:
        this = e.nodes[node]
        this.resident = max(this.resident, min(this.length, blocks - this.depth))
        node = this.parent


@bare()
def empty(e: Engine, node: int, full: int) -> None:
    """Give back the blocks of an unlinked node that come after the ``full`` ones of its only user."""
    this = e.nodes[node]
    some = min(this.resident, max(0, this.depth + this.resident - full))
    this.resident -= some
    give(e, some)


@bare()
def release(e: Engine, i: int, blocks: int, full: int) -> None:
    """Give back the ``blocks`` blocks of request i's context, the last first; the content of the full ones stays."""
    leaf = e.nodes[i]
    leaf.resident = max(0, blocks - leaf.depth)
    empty(e, i, full)
    enqueue(e, i)
    node = e.jobs[i].deepest
    while node != NONE:
        this = e.nodes[node]
        this.users -= 1
        if this.users == 0:
            if e.jobs[i].fills:
                empty(e, node, full)
            enqueue(e, node)
        node = this.parent
    e.jobs[i].deepest = NONE
