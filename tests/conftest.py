"""Shared fixtures, and the rule for tests on real data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real traces beside the project; absent in a plain clone."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real data (../shared) is not beside the project")
    return SHARED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test on real data that is skipped although the data is there has failed."""
    report = yield
    if report.skipped and SHARED.is_dir() and item.get_closest_marker("shared"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} is marked shared, ../shared is there, and it was skipped: {report.longrepr}"
    return report
