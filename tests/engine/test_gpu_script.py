"""The GPU script on a CPU with a tiny shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("vllm", reason="the environment of the real engines is absent (tests/engine/setup)")

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_it_runs(engine: str, tmp_path: Path) -> None:
    root, out = Path(__file__).parents[2], tmp_path / "results.json"
    blocks = "127" if engine == "transformers" else "63"
    small = ["--shape", "tiny", "--requests", "12", "--blocks", blocks, "--scale", "0.1", "--rates", "inf"]
    command = [sys.executable, "benchmarks/gpu_engine.py", "--engine", engine, *small, "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(out.read_text())
    assert [run["arm"] for run in told["runs"]] == ["fcfs", "svf", "1-bit svf", "mc-sf"]
    for run in told["runs"]:
        assert 0 < run["ttft"]["mean"] <= run["latency"]["mean"] <= run["latency"]["p99"]
        assert run["steps"] > 10
        assert run["step_s"]["median_error"] < 1
