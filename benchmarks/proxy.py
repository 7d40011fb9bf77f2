"""What the proxy adds to a request's latency on loopback.

A fake engine that answers at once, the proxy before it (each in a process of its own), and open-loop Poisson
load, by turns straight to the engine, through a relay that only copies bytes (the floor of any process in
between), and through the proxy. Prints p50 and p99 of each arm, milliseconds, what relay and proxy add, and their
processor time per request.

    python benchmarks/proxy.py --rate 200 --seconds 10 --turns 5
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import cast

import numpy as np
import uvloop

USAGE = {"prompt_tokens": 900, "completion_tokens": 200}
EVENT = b'data: {"choices":[{"text":"word"}]}\n\n'
LAST = b"\r\n0\r\n\r\n"


def whole() -> bytes:
    """A JSON object of about 1 kB."""
    body = json.dumps({"choices": [{"text": "word " * 200}], "usage": USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def stream(events: int = 16) -> bytes:
    """Events in chunks."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + (b"%x\r\n%s\r\n" % (len(EVENT), EVENT)) * events + LAST[2:]


def question(streamed: bool) -> bytes:
    """A completion request."""
    body = json.dumps({"prompt": "lorem " * 600, "stream": streamed, "max_tokens": 400}).encode()
    head = "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer key\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


WHOLE, STREAM, QUESTIONS = whole(), stream(), (question(True), question(False))


class Messages(asyncio.Protocol):
    """Cuts what comes into HTTP messages, by content length or at the end of the chunks, and hands them on."""

    def __init__(self) -> None:
        self.seen = b""
        self.heard: Callable[[bytes], object] = self.answer  # a fake engine, unless told otherwise

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.seen += data
        while end := self.end():
            message, self.seen = self.seen[:end], self.seen[end:]
            self.heard(message)

    def end(self) -> int:
        """Where the first message ends; 0 if the end has not come yet."""
        head = self.seen.find(b"\r\n\r\n") + 4
        if head < 4:
            return 0
        stated = re.search(rb"content-length: *(\d+)", self.seen[:head], re.IGNORECASE)
        end = head + int(stated[1]) if stated else self.seen.find(LAST, head - 2) + len(LAST)
        return end if head <= end <= len(self.seen) else 0

    def answer(self, message: bytes) -> None:
        self.transport.write(STREAM if b'"stream": true' in message else WHOLE)


async def engine(port: int) -> None:
    """Answers completions at once."""
    server = await asyncio.get_running_loop().create_server(Messages, "127.0.0.1", port)
    await server.serve_forever()


async def relay(port: int, to: int) -> None:
    """Copies bytes both ways."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, on = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(copy(reader, on), copy(back, writer))

    async with await asyncio.start_server(accept, "127.0.0.1", port) as server:
        await server.serve_forever()


async def load(port: int, rate: float, seconds: float, seed: int) -> np.ndarray:
    """Latencies, ms, of requests at Poisson times; every other one streamed."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / rate, int(rate * seconds)))
    free: list[Messages] = []
    latencies: list[float] = []
    loop = asyncio.get_running_loop()

    async def one(request: bytes) -> None:
        while free and free[-1].transport.is_closing():  # closed for idleness
            free.pop()
        began = time.perf_counter()
        asking = free.pop() if free else (await loop.create_connection(Messages, "127.0.0.1", port))[1]
        answered: asyncio.Future[bytes] = loop.create_future()
        asking.heard = answered.set_result
        asking.transport.write(request)
        if not (await answered).startswith(b"HTTP/1.1 200"):
            raise RuntimeError("an answer that is no 200")
        latencies.append(1000 * (time.perf_counter() - began))
        free.append(asking)

    def pace() -> list[Future[None]]:  # the loop's own timers tick in milliseconds and would send requests in bunches
        start = time.perf_counter()
        asked: list[Future[None]] = []
        for number, arrival in enumerate(arrivals):
            time.sleep(max(0.0, start + arrival - time.perf_counter()))
            asked.append(asyncio.run_coroutine_threadsafe(one(QUESTIONS[number % 2]), loop))
        return asked

    await asyncio.gather(*map(asyncio.wrap_future, await loop.run_in_executor(None, pace)))
    for asking in free:
        asking.transport.close()
    return np.array(latencies)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"nothing answers on port {port}")


def processor_s(process: int) -> float:
    """Seconds of processor time that a process has used (Linux)."""
    with open(f"/proc/{process}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=200, help="requests per second")
    parser.add_argument("--seconds", type=float, default=10, help="of each turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--engine", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--relay", type=int, nargs=2, help=argparse.SUPPRESS)
    ask = parser.parse_args()
    if ask.engine:
        uvloop.run(engine(ask.engine))
    elif ask.relay:
        uvloop.run(relay(*ask.relay))  # the loop that the proxy runs in
    else:
        compare(ask.rate, ask.seconds, ask.turns)


def compare(rate: float, seconds: float, turns: int) -> None:
    """Start the three processes and print the table."""
    behind, between, before = ports = [free_port() for _ in range(3)]
    ours = ["-m", "plimsoll", "proxy", "--to", f"http://127.0.0.1:{behind}", "--port", str(before)]
    commands = ([__file__, "--engine", str(behind)], [__file__, "--relay", str(between), str(behind)], ours)
    children = [subprocess.Popen([sys.executable, *command]) for command in commands]
    try:
        for port in ports:
            wait_for(port)
        for port in ports:
            uvloop.run(load(port, rate, 2, seed=0))
        spent_s = [processor_s(child.pid) for child in children]
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {rate:g} requests/s, half streamed")
        columns = (
            "direct p50",
            "p99",
            "relay p50",
            "p99",
            "proxy p50",
            "p99",
            "relay adds",
            "p99",
            "proxy adds",
            "p99",
        )
        print("turn " + line(columns))
        rows: list[np.ndarray] = []
        for turn in range(1, turns + 1):
            direct, middle, proxy = (
                np.percentile(uvloop.run(load(port, rate, seconds, turn)), [50, 99]) for port in ports
            )
            rows.append(np.concatenate([direct, middle, proxy, middle - direct, proxy - direct]))
            print(f"{turn:4} " + line(rows[-1]))
        print(" med " + line(np.median(rows, axis=0)))
        for name, child, before_s in zip(("relay", "proxy"), children[1:], spent_s[1:], strict=True):
            each = (processor_s(child.pid) - before_s) / (turns * int(rate * seconds))
            print(f"processor time of the {name}: {1000 * each:.2f} ms per request")
    finally:
        for child in children:
            child.terminate()
            child.wait()


def line(cells: Iterable[object]) -> str:
    """Pairs of p50 and p99."""
    told = [cell if isinstance(cell, str) else f"{cell:.2f}" for cell in cells]
    return " ".join(f"{cell:>{11 if at % 2 == 0 else 6}}" for at, cell in enumerate(told))


if __name__ == "__main__":
    main()
