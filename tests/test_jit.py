"""The cache of compiled code notices every edit, and plain Python gives the same times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

CALLER = """
from plimsoll.jit import njit

from .callee import step

@njit("int64(int64)")
def twice(x):
    return 2 * step(x)
"""
CALLEE = """
from plimsoll.jit import njit

@njit()
def step(x):
    return x + {add}
"""
SIMULATE = """
import json
from plimsoll import read_trace, rounds, simulate
trace = read_trace("synthetic", requests=80, seed=3)
runs = {}
for policy in ("fcfs", "mc-sf", "svf:engine=1", "alpha-beta"):
    run = simulate(trace, policy, rounds(capacity=9_000), "noisy:0.5", seed=1)
    runs[policy] = [run.start.tolist(), run.finish.tolist(), run.evictions.tolist(), run.attempts.tolist()]
print(json.dumps(runs))
"""


def python(code: str, folder: Path, **environment: str) -> str:
    """What a new process prints."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_edit_of_a_callee_in_another_module_is_noticed(tmp_path):
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "caller.py").write_text(CALLER)
    hits = "print(twice(5), sum(twice.stats.cache_hits.values()))"
    said = []
    for add in (1, 1, 2):
        (package / "callee.py").write_text(CALLEE.format(add=add))
        os.utime(package / "callee.py", ns=(add, add))  # the file of the same size and, for 1, of the same age
        code = f"from mine.caller import twice\n{hits}"
        said.append(python(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1"))
    assert said == ["12 0", "12 1", "14 0"]


@pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="compilation is switched off")
def test_plain_python_gives_the_same_times(tmp_path):
    compiled = json.loads(python(SIMULATE, tmp_path))
    plain = json.loads(python(SIMULATE, tmp_path, NUMBA_DISABLE_JIT="1"))
    assert plain == compiled
    assert sum(map(sum, (compiled[policy][2] for policy in compiled))) > 0  # evictions happened
