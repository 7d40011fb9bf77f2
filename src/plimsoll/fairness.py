"""How evenly clients are served."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import InputError
from .host.result import Floats, Result


def jain(values: Floats) -> float:
    """Jain's index (Σx)²/(n·Σx²) of n shares, shape (n,): 1 if all are equal, 1/n if one has everything."""
    total = float(np.sum(values))
    square = float(np.sum(np.square(values)))
    return total * total / (len(values) * square) if square > 0 else 1.0


def by_client(result: Result) -> dict[str, Any]:
    """Latency of each client, and how even it is.

    Returns
    -------
    ``clients``, by number: requests, completed, mean and p99 latency (the result's unit; None where nothing completed);
    ``jain`` of the clients' mean latencies per output token.

    Raises
    ------
    InputError
        If the trace does not name clients.
    """
    if result.client is None:
        raise InputError("the trace does not say which client sent a request (column client)")
    done = np.isfinite(result.finish)
    clients: dict[int, dict[str, float | int | None]] = {}
    paces: list[float] = []
    for client in np.unique(result.client):
        own = result.client == client
        latency = result.latency[own & done]
        some = len(latency) > 0
        clients[int(client)] = {
            "requests": int(own.sum()),
            "completed": len(latency),
            "mean": float(latency.mean()) if some else None,
            "p99": float(np.percentile(latency, 99)) if some else None,
        }
        if some:
            paces.append(float((latency / result.output[own & done]).mean()))
    return {"clients": clients, "jain": jain(np.array(paces))}
