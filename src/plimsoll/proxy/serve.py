"""Running the proxy in a server of its own."""

from __future__ import annotations

import gc
import socket

import uvicorn

from ..errors import InputError
from .app import Proxy, application

_BACKLOG = 2048  # connections not yet accepted


def serve(proxy: Proxy, host: str, port: int) -> None:
    """Serve until interrupted; requests under way are finished first.

    Raises
    ------
    InputError
        If the address is no address, or is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise InputError(f"--host {host} --port {port}: cannot listen there: {error}") from error
    config = uvicorn.Config(
        application(proxy),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=30,
        backlog=_BACKLOG,
    )
    gc.freeze()  # what is loaded stays: a collection that walks through it again holds up every request
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
