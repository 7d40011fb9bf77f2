"""Fixtures of the real-engine tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import model

# one thread, no network, the engine's core in this process: what a test on a CPU needs
for name, value in {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
}.items():
    os.environ.setdefault(name, value)


@pytest.fixture(scope="session")
def shape(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a model's configuration only."""
    return str(model.write_config(tmp_path_factory.mktemp("shape")))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model of random weights."""
    return model.write_weights(tmp_path_factory.mktemp("weights"))


def pytest_report_header() -> str:
    """The version under test."""
    try:
        import vllm
    except ModuleNotFoundError:
        return "vllm absent"
    return f"vllm {vllm.__version__}"
