"""The scheduler tests over the other vLLM versions that the environment holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("vllm", reason="the environment of the real engines is absent (tests/engine/setup)")

pytestmark = pytest.mark.engine

SOURCES = Path(sys.prefix).parent / "vllm"
VERSIONS = sorted(path.name for path in SOURCES.iterdir()) if SOURCES.is_dir() else []


@pytest.mark.parametrize("version", VERSIONS)
def test_another_version(version: str) -> None:
    """In a process of its own, with that version's Python source first on the path."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(SOURCES / version), str(root / "src")])
    environment = os.environ | {"PYTHONPATH": path, "PLIMSOLL_FUZZ_STEPS": "3000"}
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "tests/engine/test_scheduler.py"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"vllm {version}" in done.stdout


def test_there_are_versions() -> None:
    assert {"0.25.1", "0.33.0"} <= set(VERSIONS)
