"""The proxy itself: an ASGI application in front of one engine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import InputError
from .answer import Answer
from .engine import Connection, Engine, EngineError
from .law import PATIENCE, OutputLaw
from .log import Clients, Passed, RequestLog
from .request import COMPLETION_PATHS, Asked, read_request, with_priority

_HOP = frozenset(  # headers of one connection, not of the message (RFC 9110, 7.6.1)
    b"connection keep-alive proxy-authenticate proxy-authorization te trailers transfer-encoding upgrade".split()
)
_OWN = _HOP | {b"host", b"content-length", b"expect"}  # of a request: said anew, or answered already
_OPTIONS = {"in_flight": "--max-in-flight", "body": "--max-body-mib", "silence_s": "--timeout"}  # of the command
_START_RATE = 1_000_000_000  # the ageing clock starts at this times Unix time; no engine serves that fast


@dataclass(frozen=True)
class Limits:
    """What the proxy accepts.

    Attributes
    ----------
    in_flight : requests at the engine at once; further ones get 503 with ``Retry-After``.
    body : bytes of one request; larger ones get 413.
    connect_s : seconds to reach the engine, else 502.
    silence_s : seconds without a byte from the engine, else 504.
    """

    in_flight: int = 4096
    body: int = 64 << 20
    connect_s: float = 5.0
    silence_s: float = 600.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"{_OPTIONS.get(name, name)} must be above 0, not {value:g}")


class Proxy:
    """Passes requests to one engine and sets the priority of completions.

    Parameters
    ----------
    to : base URL of the engine.
    limits : see `Limits`.
    log : file for one JSON line per completion, or None.
    patience : see `plimsoll.proxy.law.OutputLaw`.
    observe : only learn and log; set no priority (for an engine that takes none).

    Raises
    ------
    InputError
        If ``to`` is no URL, the log cannot be written, or a limit is out of range.
    """

    def __init__(
        self,
        to: str,
        limits: Limits | None = None,
        log: Path | None = None,
        patience: float = PATIENCE,
        observe: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self.law = OutputLaw(start=0 if observe else int(time.time()) * _START_RATE, patience=patience)
        self.observe = observe
        self._engine = Engine(to, self.limits.connect_s, self.limits.silence_s)
        self._log = RequestLog(log)
        self._clients = Clients()
        self._in_flight = 0
        self._tokens, self._characters = 1.0, 4.0  # running totals of texts with a stated length: 4 per token

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        """Hold the log and the connections to the engine while the server runs."""
        try:
            yield
        finally:
            self._engine.close()
            self._log.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        if self._in_flight >= self.limits.in_flight:
            busy = JSONResponse(_error("too many requests in flight"), 503, headers={"retry-after": "1"})
            await busy(scope, receive, send)
            return
        self._in_flight += 1
        try:
            body = await _read_body(receive, self.limits.body)
            if body is None:
                await JSONResponse(_error("request body too large"), 413)(scope, receive, send)
            else:
                await _until_gone(self._pass(scope, body, send), receive)
        finally:
            self._in_flight -= 1

    async def _pass(self, scope: Scope, body: bytes, send: Send) -> None:
        completion = scope["method"] == "POST" and scope["path"] in COMPLETION_PATHS
        asked = read_request(body) if completion else None
        if asked is None:
            with contextlib.suppress(_Refused):
                await self._relay(scope, body, send, None, None)
            return
        passed = Passed(time.time(), self._clients.number(_identity(scope)), sequences=asked.sequences)
        passed.prompt_tokens, passed.estimated = self._prompt_tokens(asked), asked.tokens is None
        if not self.observe:
            passed.priority = self.law.priority(passed.prompt_tokens, asked.limit)
            body = with_priority(body, asked, passed.priority)
        answer = Answer()
        try:
            await self._relay(scope, body, send, passed, answer)
            self._learn(asked, passed, answer)
        except _Refused as refused:
            passed.status = refused.status
        except asyncio.CancelledError:
            passed.status = 0
            raise
        finally:
            passed.latency_s = round(time.time() - passed.arrival_s, 6)
            self._log.write(passed)

    async def _relay(self, scope: Scope, body: bytes, send: Send, passed: Passed | None, answer: Answer | None) -> None:
        """Send the request on and its answer back chunk by chunk, no faster than the client takes it."""
        try:
            reply = await self._ask(scope, body)
        except EngineError as error:
            await JSONResponse(_error(f"the engine {error}"), error.status)(scope, _nothing, send)
            raise _Refused(error.status) from error
        try:
            headers = [header for header in reply.headers if header[0] not in _HOP]
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            more = True
            while more:
                chunk = await reply.read()
                more = not reply.whole
                if passed and answer:
                    if passed.first_byte_s is None:
                        passed.first_byte_s = round(time.time() - passed.arrival_s, 6)
                    answer.feed(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": more})
            if passed:
                passed.status = reply.status
        except EngineError:
            return  # unfinished, so the server cuts the connection: a broken answer must look broken
        finally:
            self._engine.give_back(reply)

    def _ask(self, scope: Scope, body: bytes) -> Awaitable[Connection]:
        target: bytes = scope.get("raw_path") or scope["path"].encode()
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        headers = [header for header in scope["headers"] if header[0] not in _OWN]
        return self._engine.ask(scope["method"], target, headers, body)

    def _prompt_tokens(self, asked: Asked) -> int:
        """Prompt tokens of one sequence, from ids, or from characters at the ratio seen so far."""
        if asked.tokens is not None:
            return round(asked.tokens)
        return round(asked.characters * self._tokens / self._characters)

    def _learn(self, asked: Asked, passed: Passed, answer: Answer) -> None:
        if passed.status != 200 or not answer.output_tokens:
            return
        passed.output_tokens = round(answer.output_tokens / asked.sequences)
        if answer.prompt_tokens is not None:
            if asked.tokens is None and asked.characters:
                self._tokens += answer.prompt_tokens / asked.prompts
                self._characters += asked.characters
            passed.prompt_tokens, passed.estimated = round(answer.prompt_tokens / asked.prompts), False
        self.law.learn(passed.prompt_tokens, passed.output_tokens)


def application(proxy: Proxy) -> ASGIApp:
    """The proxy as an ASGI application; Starlette minds its lifespan alone, which spares each request its layers."""
    held = Starlette(lifespan=proxy.lifespan)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (held if scope["type"] == "lifespan" else proxy)(scope, receive, send)

    return either


class _Refused(Exception):
    """The engine could not be reached and the client was told so."""

    def __init__(self, status: int) -> None:
        self.status = status


async def _read_body(receive: Receive, most: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _until_gone(work: Coroutine[None, None, None], receive: Receive) -> None:
    """Do the work; when the client leaves first, cancel it, so that the engine stops generating too."""
    here = cast("asyncio.Task[None]", asyncio.current_task())
    gone = asyncio.ensure_future(_left(receive, here.cancel))
    try:
        await work
    except asyncio.CancelledError:
        if not gone.done():
            raise
        here.uncancel()
    finally:
        gone.cancel()


async def _left(receive: Receive, cancel: Callable[[], object]) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    cancel()


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _identity(scope: Scope) -> bytes:
    """What tells clients apart: the key where one is sent, else the address."""
    for name, value in scope["headers"]:
        if name in (b"authorization", b"x-api-key"):
            return value
    return str((scope.get("client") or ("",))[0]).encode()


def _error(text: str) -> dict[str, dict[str, str]]:
    return {"error": {"message": f"plimsoll proxy: {text}", "type": "proxy_error"}}
