"""``plimsoll proxy``: a reverse proxy that gives each request its priority."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(help="Pass OpenAI-API requests to an engine and set each request's priority.")


@app.default
def proxy(
    *,
    to: str,
    host: str = "127.0.0.1",
    port: int = 8001,
    log: Path | None = None,
    patience: float = 60.0,
    observe: Annotated[bool, Parameter(negative="")] = False,
    max_in_flight: int = 4096,
    max_body_mib: int = 64,
    timeout: float = 600.0,
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    to : base URL of the engine, e.g. http://127.0.0.1:8000.
    host : address to listen on.
    port : port to listen on.
    log : file to append one JSON line per request to: lengths, times, client numbers; never text or keys.
    patience : ageing; a request lets at most this many times its own expected volume of work pass.
    observe : set no priority, only learn and log (for an engine that takes none).
    max_in_flight : requests at the engine at once; further ones are answered 503.
    max_body_mib : largest request, MiB; larger ones are answered 413.
    timeout : seconds without a byte from the engine before giving up.
    """
    from ..errors import InputError

    try:
        from ..proxy.app import Limits, Proxy
        from ..proxy.serve import serve
    except ModuleNotFoundError as error:
        raise InputError(f"proxy needs the package {error.name}: pip install 'plimsoll[proxy]'") from error
    limits = Limits(in_flight=max_in_flight, body=max_body_mib << 20, silence_s=timeout)
    serve(Proxy(to, limits, log, patience, observe), host, port)
