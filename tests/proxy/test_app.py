"""The proxy before a fake engine."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plimsoll.errors import InputError

from .conftest import serving

Before = Callable[..., Any]


def test_a_completion_gets_its_priority(engine, before: Before) -> None:
    proxy, client = before()
    expected = proxy.law.priority(2)
    headers = {"authorization": "Bearer sk-secret", "x-mine": "1"}
    answer = client.post("/v1/completions?a=b", json={"prompt": [5, 6], "top_p": 0.5}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-engine"] == "yes"
    assert answer.json()["usage"]["completion_tokens"] == 4
    (seen,) = engine.seen
    assert seen["body"] == {"prompt": [5, 6], "top_p": 0.5, "priority": expected}
    assert seen["headers"]["authorization"] == "Bearer sk-secret"
    assert seen["headers"]["x-mine"] == "1"
    assert seen["query"] == "a=b"
    _eventually(lambda: proxy.law.moments() == (4.0, 16.0))


def test_later_requests_use_what_was_learned(engine, before: Before) -> None:
    proxy, client = before()
    for length in (10, 30):
        client.post("/v1/completions", json={"prompt": [1] * 6, "max_tokens": length})
    _eventually(lambda: proxy.law.moments() == (20.0, 500.0))
    client.post("/v1/completions", json={"prompt": [1]})
    client.post("/v1/completions", json={"prompt": [1] * 100})
    short, long = engine.seen[-2]["body"]["priority"], engine.seen[-1]["body"]["priority"]
    assert short < long


def test_a_stream_passes_event_by_event(engine, before: Before) -> None:
    proxy, client = before()
    with client.stream("POST", "/v1/completions", json={"stream": True, "max_tokens": 3, "wait": True}) as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b'data: {"choices":[{"text":"0"}]}\n\n'
        engine.go.set()
        rest = b"".join(chunks)
    assert rest.endswith(b"data: [DONE]\n\n")
    _eventually(lambda: len(proxy.law) == 1)
    assert proxy.law.moments() == (3.0, 9.0)


def test_everything_else_passes_untouched(before: Before) -> None:
    _, client = before()
    answer = client.post("/tokenize?x=1", content=b'{"prompt":"a"}')
    assert (answer.status_code, answer.content, answer.headers["x-two"]) == (418, b'{"prompt":"a"}POST', "2")
    assert client.get("/v1/models").content == b"GET"
    assert client.request("DELETE", "/v1/models").content == b"DELETE"


def test_observing_sets_no_priority(engine, before: Before) -> None:
    proxy, client = before(observe=True)
    client.post("/v1/completions", json={"prompt": "abc", "priority": 3})
    assert engine.seen[0]["body"] == {"prompt": "abc", "priority": 3}
    _eventually(lambda: len(proxy.law) == 1)


def test_the_log_holds_lengths_and_no_text(before: Before, tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    _, client = before(log=log)
    for key in ("sk-one", "sk-two", "sk-one"):
        ask = {"prompt": "a private matter", "user": "somebody", "max_tokens": 7}
        client.post("/v1/completions", json=ask, headers={"authorization": f"Bearer {key}"})
    _eventually(lambda: log.read_text().count("\n") == 3)
    text = log.read_text()
    assert not any(word in text for word in ("private", "sk-one", "somebody"))
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["client"] for row in rows] == [1, 2, 1]
    assert {(row["prompt_tokens"], row["output_tokens"], row["estimated"], row["status"]) for row in rows} == {
        (6, 7, False, 200)
    }
    assert all(0 < row["first_byte_s"] <= row["latency_s"] < 10 for row in rows)


@pytest.mark.parametrize("body", [{"slow": True}, {"stream": True, "max_tokens": 2, "wait": True}])
def test_a_client_that_leaves_stops_the_engine(engine, before: Before, body, tmp_path: Path) -> None:
    import httpx

    log = tmp_path / "log"
    proxy, client = before(log=log)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/completions", json=body, timeout=0.3)
    assert engine.left.wait(5)
    _eventually(lambda: '"status": 0' in log.read_text())
    assert len(proxy.law) == 0


def test_limits(engine, before: Before) -> None:
    from plimsoll.proxy.app import Limits

    _, client = before(limits=Limits(body=100))
    assert client.post("/v1/completions", json={"prompt": "x" * 100}).status_code == 413
    assert engine.seen == []

    _, client = before(limits=Limits(in_flight=1))
    with client.stream("POST", "/v1/completions", json={"stream": True, "max_tokens": 2, "wait": True}):
        refused = client.post("/v1/completions", json={"prompt": "x"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        engine.go.set()
    _eventually(lambda: client.post("/v1/completions", json={"prompt": "x"}).status_code == 200)


def test_a_client_that_reads_slowly_slows_the_engine(before: Before) -> None:
    chunk, chunks, sent = bytes(1 << 16), 1024, []

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(chunks):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            sent.append(len(chunk))
        await send({"type": "http.response.body"})

    with serving(flood) as url:
        _, client = before(url)
        with client.stream("GET", "/flood") as answer:
            passed = -1
            while passed != len(sent):
                passed = len(sent)
                time.sleep(0.5)
            assert passed < chunks / 2
            assert sum(map(len, answer.iter_raw())) == chunks * len(chunk)


def test_an_engine_that_is_silent_or_gone(before: Before) -> None:
    from plimsoll.proxy.app import Limits

    _, client = before(limits=Limits(silence_s=0.2))
    answer = client.post("/v1/completions", json={"slow": True})
    assert (answer.status_code, "in time" in answer.text) == (504, True)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        _, client = before(f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert client.post("/v1/completions", json={"prompt": "x"}).status_code == 502
        assert client.get("/health").status_code == 502


@pytest.mark.parametrize("length", [[], [(b"content-length", b"99")]])
def test_an_answer_that_breaks_off_looks_broken(before: Before, tmp_path: Path, length: Any) -> None:
    import httpx

    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b'data: {"choices":[]}\n\n', "more_body": True})

    with serving(breaks) as url:
        proxy, client = before(url, log=tmp_path / "log")
        with pytest.raises(httpx.RemoteProtocolError):
            client.post("/v1/completions", json={"prompt": "x"})
        _eventually(lambda: '"status": 0' in (tmp_path / "log").read_text())
        assert len(proxy.law) == 0


def test_what_cannot_be_written_or_listened_on_is_told_in_a_line(tmp_path: Path) -> None:
    from plimsoll.proxy.app import Proxy
    from plimsoll.proxy.serve import serve

    with pytest.raises(InputError, match=r"--log .* cannot be written: No such file"):
        Proxy("http://127.0.0.1:9", log=tmp_path / "none" / "log")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="cannot listen there"):
        serve(Proxy("http://127.0.0.1:9"), "127.0.0.1", taken.getsockname()[1])
    with pytest.raises(InputError, match="port must be 0-65535"):
        serve(Proxy("http://127.0.0.1:9"), "127.0.0.1", 99_999_999)


@pytest.mark.parametrize("limit", [{"silence_s": -1.0}, {"in_flight": 0}, {"body": 0}])
def test_limits_are_above_0(limit: Any) -> None:
    from plimsoll.proxy.app import Limits

    with pytest.raises(InputError, match=r"--(timeout|max-in-flight|max-body-mib) must be above 0"):
        Limits(**limit)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://"])
def test_a_url_must_be_one(url: str) -> None:
    from plimsoll.proxy.app import Proxy

    with pytest.raises(InputError, match="is no URL"):
        Proxy(url)


def _eventually(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)
