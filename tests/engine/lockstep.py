"""The proxy before the real engine in lock step: the engine runs a burst once the proxy has passed on all of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from plimsoll.proxy.app import Proxy, application

from ..proxy.conftest import serving
from . import real


class Lockstep:
    """An engine behind the proxy that answers a burst when it has been run."""

    def __init__(self) -> None:
        self.priorities: dict[int, int] = {}
        self.outcome: real.Outcome | None = None
        self.complete = threading.Event()

    def application(self) -> Starlette:
        async def answer(request: Request) -> Response:
            body = await request.json()
            i, n = body["user"]
            self.priorities[i] = body["priority"]
            if len(self.priorities) == n:
                self.complete.set()
            while self.outcome is None:
                await asyncio.sleep(0.02)
            usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": len(self.outcome.tokens[i])}
            return JSONResponse({"choices": [], "usage": usage})

        return Starlette(routes=[Route("/v1/completions", answer, methods=["POST"])])


@contextlib.contextmanager
def behind_proxy(llm: Any) -> Iterator[Callable[[real.Asked], real.Outcome]]:
    """Serves bursts on stock vLLM with the priorities that the proxy gives; the proxy learns from each."""
    engine = Lockstep()
    with serving(engine.application()) as url:
        proxy = Proxy(url)
        with serving(application(proxy)) as before, ThreadPoolExecutor(1) as aside:

            def serve(asked: real.Asked) -> real.Outcome:
                n, known = len(asked.prompts), len(proxy.law)
                engine.priorities, engine.outcome = {}, None
                engine.complete.clear()
                answered = aside.submit(asyncio.run, _send(before, asked))
                assert engine.complete.wait(120)
                outcome = real.serve(llm, asked, priorities=[engine.priorities[i] for i in range(n)])
                engine.outcome = outcome
                answered.result(120)
                while len(proxy.law) < known + n:
                    time.sleep(0.01)
                return outcome

            yield serve


async def _send(url: str, asked: real.Asked) -> None:
    n = len(asked.prompts)
    async with httpx.AsyncClient(timeout=600) as client:

        async def one(i: int, ids: list[int]) -> None:
            body = {"prompt": ids, "max_tokens": int(asked.limit[i]), "user": [i, n]}
            answer = await client.post(f"{url}/v1/completions", json=body)
            assert answer.status_code == 200, answer.text

        await asyncio.gather(*(one(i, ids) for i, ids in enumerate(asked.prompts)))
