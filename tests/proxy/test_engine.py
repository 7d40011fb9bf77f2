"""The connections to the engine, against answers written byte by byte."""

import asyncio
import contextlib
import itertools
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError

pytest.importorskip("httptools", reason="the extra `proxy` is not installed")

from plimsoll.proxy.engine import Connection, Engine, EngineError, EngineSilent

HEAD = b"HTTP/1.1 200 OK\r\n"
SHORT = HEAD + b"content-length: 2\r\n\r\nhi"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;x=y\r\n!\r\n0\r\nx-trailer: 1\r\n\r\n"
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine in either loop."""
    return pytest.importorskip(request.param).run


class Server:
    """Hands each connection to ``speak``, numbers it, and remembers the heads that it was sent."""

    def __init__(self, *answers: bytes, gap_s: float = 0.0) -> None:
        self.answers, self.gap_s = list(answers), gap_s
        self.heads: list[bytes] = []
        self.connections = 0

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One answer after the other; an empty one closes the connection. The client closes after the last."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while self.answers:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0)
                if not answer:
                    break
                writer.write(answer)
                if b"content-length" not in answer.lower() and b"chunked" not in answer.lower():
                    await asyncio.sleep(self.gap_s)
                    break
            else:
                await reader.read()
        writer.close()


class Cutting(Server):
    """Closes each connection as soon as an answer, or a part of one, has been written."""

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answers.pop(0))
        writer.close()


@contextlib.asynccontextmanager
async def before(server: Server, silence_s: float = 5.0, path: str = "") -> AsyncIterator[Engine]:
    async with await asyncio.start_server(server.speak, "127.0.0.1", 0) as listener:
        engine = Engine(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}{path}", 1.0, silence_s)
        try:
            yield engine
        finally:
            engine.close()


async def body_of(answer: Connection) -> bytes:
    parts = []
    while not answer.whole:
        parts.append(await answer.read())
    return b"".join(parts)


async def get(engine: Engine, method: str = "GET") -> tuple[int, bytes]:
    answer = await engine.ask(method, b"/x", [], b"")
    try:
        return answer.status, await body_of(answer)
    finally:
        engine.give_back(answer)


def test_a_request_by_hand(run: Run) -> None:
    async def play() -> None:
        server = Server(SHORT, SHORT)
        async with before(server, path="/base/") as engine:
            engine.give_back(await engine.ask("POST", b"/v1?a=b", [(b"x-mine", b"1")], b""))
            await get(engine)
            name = b"host: %s" % engine._name
            assert (
                server.heads[0]
                == b"POST /base/v1?a=b HTTP/1.1\r\n" + name + b"\r\nx-mine: 1\r\ncontent-length: 0\r\n\r\n"
            )
            assert server.heads[1] == b"GET /base/x HTTP/1.1\r\n" + name + b"\r\n\r\n"

    run(play())


@pytest.mark.parametrize(
    ("answer", "status", "body", "kept"),
    [
        (SHORT, 200, b"hi", True),
        (CHUNKED, 200, b"hi!", True),
        (HEAD + b"\r\nto the end", 200, b"to the end", False),
        (HEAD + b"Content-Length: 2\r\nconnection: close\r\n\r\nhi", 200, b"hi", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", 200, b"hi", False),
        (b"HTTP/1.1 204 No Content\r\nx: content-length\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 100 Continue\r\nx: 1\r\n\r\n" + SHORT, 200, b"hi", True),
    ],
)
def test_every_way_to_end_a_body(run: Run, answer: bytes, status: int, body: bytes, kept: bool) -> None:
    async def play() -> None:
        server = Server(answer, SHORT)
        async with before(server) as engine:
            assert await get(engine) == (status, body)
            assert await get(engine) == (200, b"hi")
            assert server.connections == (1 if kept else 2)

    run(play())


def test_a_head_has_no_body(run: Run) -> None:
    async def play() -> None:
        async with before(Server(HEAD + b"content-length: 2\r\n\r\n", SHORT)) as engine:
            assert await get(engine, "HEAD") == (200, b"")
            assert await get(engine) == (200, b"hi")

    run(play())


def test_headers_come_as_they_were_sent(run: Run) -> None:
    async def play() -> None:
        answer = (
            HEAD + b"X-Two: a\r\nx-empty:\r\nx-two:  b \r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-trailer: 1\r\n\r\n"
        )
        async with before(Server(answer)) as engine:
            got = await engine.ask("GET", b"/", [], b"")
            assert await body_of(got) == b""
            assert got.headers[:-1] == [(b"x-two", b"a"), (b"x-empty", b""), (b"x-two", b"b")]
            engine.give_back(got)

    run(play())


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([SHORT, CHUNKED]), st.lists(st.integers(0, 90), max_size=6))
def test_bytes_may_be_cut_anywhere(answer: bytes, cuts: list[int]) -> None:
    async def play() -> bytes:
        connection = Connection({}, 5.0)
        connection.connection_made(Silent())
        asking = asyncio.ensure_future(connection.ask("GET", b"", b""))
        await asyncio.sleep(0)
        edges = sorted({0, len(answer), *(min(cut, len(answer)) for cut in cuts)})
        for start, end in itertools.pairwise(edges):
            connection.data_received(answer[start:end])
            await asyncio.sleep(0)
        body = await body_of(await asking)
        assert connection.rest()
        connection.close()
        return body

    assert asyncio.run(play()) == (b"hi" if answer is SHORT else b"hi!")


class Silent(asyncio.Transport):
    """A transport that takes everything and sends nothing."""

    def writelines(self, list_of_data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        pass


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"content-length: 9\r\n\r\nhi",
        HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nno size\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_an_error(run: Run, answer: bytes) -> None:
    async def play() -> None:
        async with before(Cutting(answer)) as engine:
            with pytest.raises(EngineError, match=r"broke its answer off|did not answer in HTTP"):
                await get(engine)

    run(play())


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", b""])
def test_what_is_no_answer_is_an_error(run: Run, answer: bytes) -> None:
    async def play() -> None:
        async with before(Server(answer)) as engine:
            with pytest.raises(EngineError):
                await get(engine)

    run(play())


def test_a_connection_that_the_engine_closed_meanwhile_is_asked_anew(run: Run) -> None:
    """The second request meets a connection that closes on it without a byte; a third connection answers."""

    async def play() -> None:
        server = Server(SHORT, b"", SHORT)
        async with before(server) as engine:
            assert await get(engine) == await get(engine) == (200, b"hi")
            assert (server.connections, len(server.heads)) == (2, 3)

    run(play())


def test_idle_connections_are_closed_in_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plimsoll.proxy.engine.IDLE_S", 0.1)

    async def play() -> None:
        server = Server(SHORT, SHORT, SHORT)
        async with before(server) as engine:
            await get(engine)
            await asyncio.sleep(0.02)
            await get(engine)
            assert (server.connections, len(engine._idle)) == (1, 1)
            await asyncio.sleep(0.3)
            assert not engine._idle
            await get(engine)
            assert server.connections == 2

    run(play())


def test_unasked_bytes_close_an_idle_connection(run: Run) -> None:
    async def play() -> None:
        async with before(Server(SHORT + b"HTTP/1.1 408 Request Time-out\r\n\r\n", SHORT)) as engine:
            assert await get(engine) == await get(engine) == (200, b"hi")

    run(play())


@pytest.mark.parametrize("answer", [HEAD, HEAD + b"content-length: 9\r\n\r\nhi"])
def test_silence_ends_the_wait(run: Run, answer: bytes) -> None:
    async def play() -> None:
        async with before(Server(answer, gap_s=5), silence_s=0.1) as engine:
            with pytest.raises(EngineSilent):
                await get(engine)

    run(play())


def test_a_slow_client_is_no_silent_engine(run: Run) -> None:
    """The engine has more to send than may wait; the client reads nothing for three times the time allowed."""
    size = 8 << 20

    async def play() -> None:
        async with before(Server(HEAD + b"content-length: %d\r\n\r\n" % size + bytes(size)), silence_s=0.1) as engine:
            answer = await engine.ask("GET", b"/", [], b"")
            await asyncio.sleep(0.3)
            assert len(await body_of(answer)) == size
            engine.give_back(answer)
            assert list(engine._idle) == [answer]

    run(play())


def test_https(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    try:
        subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the command openssl to make a certificate")

    async def play(url: str, context: ssl.SSLContext) -> tuple[int, bytes]:
        async with await asyncio.start_server(Server(SHORT).speak, "127.0.0.1", 0, ssl=context) as listener:
            engine = Engine(url.format(listener.sockets[0].getsockname()[1]), 5.0, 5.0)
            try:
                return await get(engine)
            finally:
                engine.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with pytest.raises(EngineError, match="cannot be reached") as refused:
        run(play("https://localhost:{}", context))
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value.__cause__)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert run(play("https://localhost:{}", context)) == (200, b"hi")


@pytest.mark.parametrize(
    "url", ["http://u:p@host", "http://host:99999", "http://host?a", "http://host/#a", "http://h st", "http://:80"]
)
def test_a_base_url_is_host_port_and_path(url: str) -> None:
    with pytest.raises(InputError, match="is no URL"):
        Engine(url, 1.0, 1.0)
