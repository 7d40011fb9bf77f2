"""Running the proxy in a server of its own."""

from __future__ import annotations

import uvicorn

from .app import Proxy, application


def serve(proxy: Proxy, host: str, port: int) -> None:
    """Serve until interrupted; requests under way are finished first."""
    uvicorn.run(
        application(proxy),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=30,
    )
