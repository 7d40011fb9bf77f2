"""A fake engine and the proxy before it, each on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

httpx = pytest.importorskip("httpx", reason="the tests of the proxy need httpx")
pytest.importorskip("httptools", reason="the extra `proxy` is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra `proxy` is not installed")
pytest.importorskip("starlette", reason="the extra `proxy` is not installed")


@contextlib.contextmanager
def serving(application: Any) -> Iterator[str]:
    """Serve an ASGI application from a thread; yields its URL."""
    config = uvicorn.Config(application, port=0, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class FakeEngine:
    """Answers like an OpenAI-API engine and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.left = threading.Event()
        self.go = threading.Event()

    def application(self) -> Any:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import JSONResponse, Response, StreamingResponse
        from starlette.routing import Route

        async def complete(request: Request) -> Response:
            body = await request.json()
            self.seen.append({"body": body, "headers": dict(request.headers), "query": request.url.query})
            if body.get("stream"):
                return StreamingResponse(events(body), media_type="text/event-stream")
            if body.get("slow"):
                while not await request.is_disconnected():
                    await asyncio.sleep(0.01)
                self.left.set()
            usage = {"prompt_tokens": 6, "completion_tokens": body.get("max_tokens", 4)}
            return JSONResponse({"choices": [], "usage": usage}, headers={"x-engine": "yes"})

        async def events(body: dict[str, Any]) -> Any:
            try:
                for token in range(body["max_tokens"]):
                    yield f'data: {{"choices":[{{"text":"{token}"}}]}}\n\n'
                    while body.get("wait") and not self.go.is_set():
                        await asyncio.sleep(0.01)
                yield "data: [DONE]\n\n"
            except asyncio.CancelledError:
                self.left.set()
                raise

        async def other(request: Request) -> Response:
            return Response(await request.body() + request.method.encode(), 418, {"x-two": "2"})

        routes = [
            Route("/v1/completions", complete, methods=["POST"]),
            Route("/{path:path}", other, methods=["GET", "POST", "DELETE"]),
        ]
        return Starlette(routes=routes)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def before(engine: FakeEngine) -> Iterator[Callable[..., Any]]:
    """Starts a proxy before the fake engine; returns the proxy and a client to it."""
    from plimsoll.proxy.app import Proxy, application

    with contextlib.ExitStack() as stack:
        url = stack.enter_context(serving(engine.application()))

        def start(to: str = url, **options: Any) -> Any:
            proxy = Proxy(to, **options)
            address = stack.enter_context(serving(application(proxy)))
            return proxy, stack.enter_context(httpx.Client(base_url=address, timeout=10))

        yield start
