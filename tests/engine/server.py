"""vLLM's OpenAI server and our proxy, each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def process(command: list[str], url: str, log: Path, seconds: float = 400, **environment: str) -> Iterator[str]:
    """Run a server until the block ends; yields its URL once it answers."""
    variables = os.environ | {"PYTHONPATH": str(ROOT / "src"), **environment}
    with log.open("a") as told:
        child = subprocess.Popen(
            command, env=variables, cwd=ROOT, stdout=told, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            until = time.monotonic() + seconds
            while True:
                assert child.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < until, log.read_text()[-3000:]
                try:
                    httpx.get(f"{url}/health", timeout=2)
                    break
                except httpx.TransportError:
                    time.sleep(0.3)
            yield url
        finally:
            os.killpg(child.pid, signal.SIGTERM)  # the engine core is a child of the server
            child.wait(60)


@contextmanager
def vllm(folder: Path, log: Path, *flags: str, port: int | None = None, **environment: str) -> Iterator[str]:
    """vLLM's OpenAI server with a small KV cache; it takes text if a tokenizer lies in the folder."""
    port = port or free_port()
    if not (folder / "tokenizer.json").exists():
        flags = (*flags, "--skip-tokenizer-init")
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder),
        "--served-model-name", "tiny", "--enforce-eager", "--no-enable-prefix-caching",
        "--block-size", "32", "--num-gpu-blocks-override", "64", "--max-num-seqs", "64", "--max-model-len", "1024",
        "--dtype", "float32", "--disable-uvicorn-access-log", "--port", str(port), *flags,
    ]  # fmt: skip
    environment.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    environment.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    with process(command, f"http://127.0.0.1:{port}", log, **environment) as url:
        yield url


@contextmanager
def proxy(to: str, log: Path, requests: Path) -> Iterator[str]:
    """``plimsoll proxy`` before an engine."""
    port = free_port()
    command = [sys.executable, "-m", "plimsoll", "proxy", "--to", to, "--port", str(port), "--log", str(requests)]
    with process(command, f"http://127.0.0.1:{port}", log) as url:
        yield url
