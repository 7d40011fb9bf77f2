"""Small grids of small runs."""

import pytest

FATAL = '''# fatal.py
"""A policy whose file ends the process that first reads it."""
import os, signal
from pathlib import Path
from typing import NamedTuple

from plimsoll.policy import View

_mark = Path(__file__).with_name("killed")
if os.environ.get("FATAL_IN") != str(os.getpid()) and not _mark.exists():
    _mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)


class Fatal(NamedTuple):
    """First come first served."""

    def rank(self, view: View, i: int) -> float:
        return view.requests[i].arrival
'''


@pytest.fixture
def trace(tmp_path):
    """Three requests in a file."""
    file = tmp_path / "small.csv"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n0,4,3\n0,1,2\n1,2,5\n")
    return file


@pytest.fixture
def fatal(tmp_path, monkeypatch):
    """A policy that kills the first worker that loads it, and not the test."""
    import os

    monkeypatch.setenv("FATAL_IN", str(os.getpid()))
    file = tmp_path / "fatal.py"
    file.write_text(FATAL)
    return f"{file}:Fatal"


@pytest.fixture
def spec(tmp_path, trace):
    """Writes a spec of the trace with further lines."""

    def write(*lines, policy="fcfs"):
        file = tmp_path / "spec.toml"
        file.write_text("\n".join([f'trace = "{trace}"', f'policy = "{policy}"', *lines]))
        return file

    return write
