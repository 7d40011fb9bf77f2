"""vLLM's OpenAI server steered by a policy, and the proxy before a stock one."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm", reason="the environment of the real engines is absent (tests/engine/setup)")

import httpx

from plimsoll.engine.flags import plug_in
from plimsoll.engine.record import read_log
from plimsoll.engine.sample import sample

from . import model, real, server
from .burst import Burst

pytestmark = pytest.mark.engine

ANEW = httpx.Limits(max_keepalive_connections=0)  # no request may meet a connection that is just being closed


def body(ids: list[int], output: int, **more: Any) -> dict[str, Any]:
    fixed = {"temperature": 0, "ignore_eos": True, "detokenize": False, "return_token_ids": True}
    return {"model": "tiny", "prompt": ids, "max_tokens": int(output), **fixed, **more}


async def burst_of(url: str, burst: Burst, hints: bool = False) -> list[list[int]]:
    """All at once; every answer's tokens."""
    async with httpx.AsyncClient(timeout=600, limits=ANEW) as client:

        async def one(ids: list[int], output: int) -> list[int]:
            more = {"vllm_xargs": {"predicted_output_tokens": int(output)}} if hints else {}
            answer = await client.post(f"{url}/v1/completions", json=body(ids, output, **more))
            assert answer.status_code == 200, answer.text
            return answer.json()["choices"][0]["token_ids"]

        asked = zip(real.prompts(burst), burst.output, strict=True)
        return await asyncio.gather(*(one(ids, output) for ids, output in asked))


def metric(url: str, name: str) -> float:
    """The sum of a metric over its labels."""
    lines = httpx.get(f"{url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def at_rest(url: str) -> None:
    for name in ("vllm:num_requests_running", "vllm:num_requests_waiting"):
        assert metric(url, name) == 0


def test_the_server_with_a_policy(weights: Path, tmp_path: Path) -> None:
    flags = plug_in("svf", "law", asynchronous=False)
    shared = tmp_path / "prometheus"
    shared.mkdir()
    burst = Burst.of(3, n=40)
    with server.vllm(weights, tmp_path / "log", *flags, PROMETHEUS_MULTIPROC_DIR=str(shared)) as url:
        answers = asyncio.run(burst_of(url, burst, hints=True))
        assert [len(tokens) for tokens in answers] == burst.output.tolist()
        assert metric(url, "plimsoll:admitted_total") >= 40
        assert metric(url, "plimsoll:stock_order") == 0
        streamed(url)
        lost = asyncio.run(soak(url, 2000))
        assert lost == 0
        at_rest(url)
        again = asyncio.run(burst_of(url, burst))
        assert again == answers
    assert "plimsoll steers vLLM" in (tmp_path / "log").read_text()


def streamed(url: str) -> None:
    """A stream brings its tokens one event at a time."""
    ask = body([5, 6, 7], 12, stream=True, vllm_xargs={"predicted_output_tokens": 12})
    tokens: list[int] = []
    with httpx.stream("POST", f"{url}/v1/completions", json=ask, timeout=120) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                tokens += json.loads(line[6:])["choices"][0].get("token_ids") or []
    assert len(tokens) == 12


SOAK_S = 120.0


async def soak(url: str, n: int) -> int:
    """An hour of short requests in two minutes, in waves; one client in twenty gives up.

    Returns how many of the others were not answered in full.
    """
    rng = np.random.default_rng(5)
    lost = 0
    even = rng.random(n) * SOAK_S
    arrivals = np.sort(even + SOAK_S / 40 * np.sin(even * 8 * np.pi / SOAK_S))  # four busy times, four quiet ones
    async with httpx.AsyncClient(timeout=600, limits=ANEW) as client:

        async def one(at: float, prompt: int, output: int, patience: float | None) -> None:
            nonlocal lost
            await asyncio.sleep(max(0.0, at))
            ask = client.post(f"{url}/v1/completions", json=body([3] * prompt, output))
            try:
                answer = await asyncio.wait_for(ask, patience)
            except TimeoutError:
                return
            tokens = answer.json()["choices"][0]["token_ids"] if answer.status_code == 200 else []
            lost += len(tokens) != output

        async with asyncio.TaskGroup() as group:
            for at in arrivals:
                patience = 0.05 if rng.random() < 0.05 else None
                group.create_task(one(at, int(rng.integers(4, 120)), int(rng.integers(1, 40)), patience))
    for _ in range(100):
        if metric(url, "vllm:num_requests_running") == metric(url, "vllm:num_requests_waiting") == 0:
            break
        await asyncio.sleep(0.1)
    return lost


def test_the_proxy_before_a_stock_server_that_restarts(weights: Path, tmp_path: Path) -> None:
    flags = ("--scheduling-policy", "priority", "--watermark", "0.02")
    burst, requests, port = Burst.of(4, n=40), tmp_path / "requests.jsonl", server.free_port()
    with server.proxy(f"http://127.0.0.1:{port}", tmp_path / "proxy", requests) as before:
        with server.vllm(weights, tmp_path / "log", *flags, port=port) as url:
            straight = asyncio.run(burst_of(url, burst))
            passed = asyncio.run(burst_of(before, burst))
            assert passed == straight
            streamed(before)
        assert httpx.post(f"{before}/v1/completions", json=body([5], 1)).status_code == 502
        with server.vllm(weights, tmp_path / "again", *flags, port=port) as url:
            answers: list[Any] = []

            def meanwhile(seconds: float) -> None:
                if not answers:
                    answers.extend(asyncio.run(burst_of(before, burst)))
                time.sleep(seconds)

            seen = sample(f"{url}/metrics", 5.0, wait=meanwhile)
            assert answers == straight
    assert len(seen) == 40
    assert (seen.prompt.sum(), seen.output.sum()) == pytest.approx((burst.prompt.sum(), burst.output.sum()), abs=40)
    rows = [json.loads(line) for line in requests.read_text().splitlines()]
    whole = [row for row in rows if row["status"] == 200]
    assert len(whole) == 81
    assert sorted(row["output_tokens"] for row in whole[:40]) == sorted(burst.output.tolist())
    second = {row["prompt_tokens"]: row["priority"] for row in whole[41:]}
    prompts = sorted(second)
    assert second[prompts[0]] < second[prompts[-1]]


def test_vllms_own_log_becomes_a_trace(tmp_path: Path) -> None:
    """Chats, since vLLM before 0.33 does not log what /v1/completions answers."""
    folder, log = model.write_weights(tmp_path), tmp_path / "log"
    model.write_tokenizer(folder)
    logged = ("--enable-log-requests", "--enable-log-outputs")
    burst = Burst.of(6, n=12)
    with server.vllm(folder, log, *logged, VLLM_LOGGING_LEVEL="DEBUG") as url:
        asyncio.run(chats(url, burst))
    trace = read_log(log, prompts=True)
    asked = [(text(ids), n) for ids, n in zip(real.prompts(burst), burst.output.tolist(), strict=True)]
    assert sorted(zip(trace.more["prompt_text"], trace.output.tolist(), strict=True)) == sorted(asked + asked)
    assert (trace.more["latency_s"] >= 0).all()


async def chats(url: str, burst: Burst) -> None:
    """Each request twice: once answered whole, once as a stream."""
    async with httpx.AsyncClient(timeout=600, limits=ANEW) as client, asyncio.TaskGroup() as group:
        for ids, output in zip(real.prompts(burst), burst.output.tolist(), strict=True):
            say = [{"role": "user", "content": text(ids)}]
            ask = {"model": "tiny", "messages": say, "max_tokens": output, "temperature": 0, "ignore_eos": True}
            for stream in (False, True):
                group.create_task(client.post(f"{url}/v1/chat/completions", json=ask | {"stream": stream}))


def text(ids: list[int]) -> str:
    return " ".join(map(model.word, ids))
