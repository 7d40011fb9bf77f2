"""The cache of compiled code notices every edit, and plain Python gives the same times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from plimsoll import Trace, rounds, serving, simulate
from plimsoll.fleet.fleet import Fleet
from plimsoll.host.iterations import Iterations
from plimsoll.jit import late, native

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
SERVER = serving(steptime="unit", blocks=10)


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


@pytest.mark.parametrize(
    ("host", "module", "name"),
    [
        (rounds(capacity=100), "plimsoll.host.rounds", "run"),
        (Iterations(capacity=100), "plimsoll.host.batches", "run"),
        (SERVER, "plimsoll.host.steps", "run"),
        (Fleet([SERVER, SERVER]), "plimsoll.fleet.couple", "route"),
    ],
    ids=["rounds", "iterations", "serving", "fleet"],
)
def test_the_time_of_a_run_is_that_of_its_loop_without_compiling_it(monkeypatch, host, module, name):
    clock = [0.0]
    loop = native(vars(import_module(module))[name])

    def compile_slowly(function):
        clock[0] += 60
        return loop

    monkeypatch.setattr(f"{module}.{name}", late(compile_slowly)(loop))
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    assert simulate(Trace.of([(0, 2, 3)]), "fcfs", host).wall_s == 0
    assert clock == [60]
