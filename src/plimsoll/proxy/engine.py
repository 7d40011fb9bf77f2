"""The engine behind the proxy: HTTP/1.1 connections that are kept and used again (RFC 9112).

A general client costs more than all else that the proxy does; this one asks, hands the answer on as it comes, and
leaves out the rest: no cookies, no redirects, no decompression.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Iterable
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools

from ..errors import InputError

IDLE_S = 3.0  # an idle connection is closed before the engine's own server closes it (5 s in uvicorn)
_URL = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?", re.ASCII)  # no name and password: keys are the client's
_AHEAD = 1 << 16  # bytes of an answer that may wait for the client; then the engine waits


class EngineError(Exception):
    """What the engine did not do, in words, and the HTTP status that says so."""

    status = 502


class EngineSilent(EngineError):
    """The engine takes longer than the time allowed."""

    status = 504

    def __init__(self) -> None:
        super().__init__("did not answer in time")


class _Gone(EngineError):
    """The connection was closed before a byte of the answer came."""

    def __init__(self) -> None:
        super().__init__("closed the connection")


class Engine:
    """The engine's address and the idle connections to it.

    Parameters
    ----------
    url : base URL, http or https; a path in it comes before every request's own.
    connect_s : seconds to reach the engine.
    silence_s : seconds without a byte from the engine.

    Raises
    ------
    InputError
        If ``url`` is no such URL.
    """

    def __init__(self, url: str, connect_s: float, silence_s: float) -> None:
        parts = _split(url)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._address = parts.hostname or "", parts.port or (443 if self._tls else 80)
        self._name = parts.netloc.encode()
        self._base = parts.path.rstrip("/").encode()
        self._connect_s, self._silence_s = connect_s, silence_s
        self._idle: dict[Connection, None] = {}  # the last one used goes first

    async def ask(self, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Connection:
        """Send a request; the connection that is returned has the head of the answer and must be given back.

        Parameters
        ----------
        target : path and query.
        headers : without ``host`` and ``content-length``, which are set here.

        Raises
        ------
        EngineError
            `EngineSilent` where a time-out ends the wait.
        """
        lines = [b"%s %s%s HTTP/1.1\r\nhost: %s" % (method.encode(), self._base, target, self._name)]
        lines += [b"%s: %s" % header for header in headers]
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(b"content-length: %d" % len(body))
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        while self._idle:
            with contextlib.suppress(_Gone):  # it had been idle for too long for the engine
                return await self._idle.popitem()[0].ask(method, head, body)
        return await (await self._connect()).ask(method, head, body)

    def give_back(self, connection: Connection) -> None:
        """Keep the connection if its answer is whole and the engine keeps it too, else close it."""
        if connection.rest():
            self._idle[connection] = None
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.popitem()[0].close()

    async def _connect(self) -> Connection:
        host, port = self._address
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_s):
                made = await loop.create_connection(
                    lambda: Connection(self._idle, self._silence_s), host, port, ssl=self._tls
                )
        except TimeoutError as error:
            raise EngineSilent() from error
        except (OSError, UnicodeError) as error:  # the latter for a name that is none
            raise EngineError("cannot be reached") from error
        return made[1]


def _split(url: str) -> SplitResult:
    with contextlib.suppress(ValueError):  # of a port that is none
        parts = urlsplit(url)
        if _URL.fullmatch(url) and parts.hostname and parts.port != 0:
            return parts
    raise InputError(f"--to: {url!r} is no URL such as http://127.0.0.1:8000")


class Connection(asyncio.Protocol):
    """One connection, for one request after the other.

    Attributes
    ----------
    status, headers : of the answer; names in lower case.
    """

    def __init__(self, idle: dict[Connection, None], silence_s: float) -> None:
        self._idle, self._silence_s = idle, silence_s
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._failure: EngineError | None = None
        self._closed = False
        self._asks = False

    # The user's side.

    async def ask(self, method: str, head: bytes, body: bytes) -> Connection:
        """Send a request and wait for the head of its answer."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._bodiless = method == "HEAD"
        self._spoken = self._headed = self._framed = self._complete = self._keeps = False
        self._parts: list[bytes] = []
        self._size = 0
        self._heard = self._loop.time()
        self._asks = True
        if self._closed:
            raise _Gone
        self._transport.writelines((head, body) if body else (head,))
        try:
            while not self._headed:
                await self._news()
        except BaseException:
            self.close()
            raise
        return self

    async def read(self) -> bytes:
        """What has come of the body since the last call, at least a byte; empty once it is whole."""
        while not self._parts and not self._complete:
            await self._news()
        chunk = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        if self._size >= _AHEAD and not self._transport.is_closing():
            self._transport.resume_reading()
            self._heard = self._loop.time()
        self._size = 0
        return chunk

    @property
    def whole(self) -> bool:
        """The answer's last byte has been read."""
        return self._complete and not self._parts

    def rest(self) -> bool:
        """Make ready for the next request; False if there can be none."""
        self._heard = self._loop.time()
        self._asks = False
        return self.whole and self._keeps and not self._closed

    def close(self) -> None:
        """Close at once."""
        self._closed = True
        self._timer.cancel()
        self._transport.abort()

    async def _news(self) -> None:
        if self._failure:
            raise self._failure
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: EngineError) -> None:
        self._failure = self._failure or failure
        self.close()
        self._wake()

    def _tick(self) -> None:
        """Mind the time, often enough for an idle connection that starts to ask between two looks."""
        now = self._loop.time()
        if self._asks and self._size:
            self._heard = now  # the engine waits for the client, not the client for the engine
        left = self._heard + (self._silence_s if self._asks else IDLE_S) - now
        if left > 0:
            self._timer = self._loop.call_later(min(left, IDLE_S, self._silence_s), self._tick)
        elif self._asks:
            self._fail(EngineSilent())
        else:
            self._discard()

    def _discard(self) -> None:
        self._idle.pop(self, None)
        self.close()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._heard = self._loop.time()
        self._tick()

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if not self._asks:
            self._discard()  # nobody asked
            return
        self._spoken = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(EngineError("did not answer in HTTP/1.1"))
            return
        if self._size >= _AHEAD:
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._timer.cancel()
        if not self._asks:
            self._discard()
        elif self._headed and not self._framed and exc is None:
            self._complete = True  # its end is the end of the connection
            self._wake()
        elif not self._complete:
            self._fail(EngineError("broke its answer off") if self._spoken else _Gone())

    # The parser's side.

    def on_message_begin(self) -> None:
        if self._complete:
            raise EngineError("answered twice")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # a trailer is none
            self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:  # interim: the answer itself follows
            self.headers.clear()
            return
        self._headed = True
        self._framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers)
        if self._bodiless:  # what the head says of a body is what there would be: the parser waits in vain
            self._complete, self._keeps = True, False

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        if self._headed:
            self._complete = True
            self._keeps = self._parser.should_keep_alive()
