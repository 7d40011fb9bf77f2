"""Shared fixtures."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real traces beside the project; absent in a plain clone."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real data (../shared) is not beside the project")
    return SHARED
