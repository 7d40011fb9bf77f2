"""Imports of the package run one way, along the flow of data."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# A module may import from its own line and from the lines above it. The longest name that fits decides.
LAYERS = (
    ("errors", "jit", "atomic", "progress", "named"),
    ("trace",),
    ("formats",),
    ("workload",),
    ("source", "description", "fetch"),
    ("predict.survival",),
    ("policy",),
    ("predict",),
    ("policies",),
    ("steptime",),
    ("host",),
    ("fleet",),
    ("simulation", "metrics", "fairness"),
    ("bounds",),
    ("experiment",),
    ("report",),
    ("reproduce",),
    ("engine", "proxy"),
    ("cli",),
    ("", "__main__"),
)
# What an engine loads beside itself: small, and nothing of the simulator.
ENGINE_MAY_IMPORT = (
    *("engine", "policy", "policies", "predict", "proxy.law"),
    *("errors", "jit", "atomic", "named", "trace"),
)


def modules() -> dict[str, Path]:
    """Every module of the package by its name without ``plimsoll.``; the package itself is the empty name."""
    found: dict[str, Path] = {}
    for path in sorted((SOURCE / "plimsoll").rglob("*.py")):
        parts = path.relative_to(SOURCE / "plimsoll").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name: str, nodes: list[ast.AST]) -> set[str]:
    """The modules of the package that these statements of module ``name`` import."""
    is_package = MODULES[name].name == "__init__.py"
    here = name.split(".") if name else []
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names = (alias.name.partition(".") for alias in node.names)
            found |= {rest for top, _, rest in names if top == "plimsoll"}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                above = here[: len(here) + is_package - node.level]
                source = ".".join([*above, *filter(None, [node.module])])
            elif (node.module or "").partition(".")[0] == "plimsoll":
                source = (node.module or "").partition(".")[2]
            else:
                continue
            for alias in node.names:
                inner = f"{source}.{alias.name}".lstrip(".")
                found.add(inner if inner in MODULES else source)
    return found


def every_import(name: str) -> set[str]:
    return imported(name, list(ast.walk(ast.parse(MODULES[name].read_text()))))


def imports_at_load(name: str) -> set[str]:
    """Those that run when the module is loaded: not in functions, not for type checkers alone."""
    tree = ast.parse(MODULES[name].read_text())
    return imported(name, [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)])


def layer(name: str) -> int:
    """The line of LAYERS that a module belongs to."""
    fitting = [
        (len(prefix), line)
        for line, prefixes in enumerate(LAYERS)
        for prefix in prefixes
        if name == prefix or (prefix and name.startswith(f"{prefix}."))
    ]
    assert fitting, f"plimsoll.{name} is in no line of LAYERS"
    return max(fitting)[1]


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_imports_run_down_the_flow_of_data(name):
    against = {other for other in every_import(name) if layer(other) > layer(name)}
    assert not against, f"plimsoll.{name} must not import {', '.join(sorted(against))}"


def test_no_cycles_when_modules_load():
    graph = {name: imports_at_load(name) - {name} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports go in a circle: {' -> '.join(error.args[1])}")


def test_engines_load_policies_and_predictors_only():
    for name in MODULES:
        if name == "engine" or name.startswith("engine."):
            for other in every_import(name):
                allowed = any(other == may or other.startswith(f"{may}.") for may in ENGINE_MAY_IMPORT)
                assert allowed, f"plimsoll.{name} must not import {other}"


def test_resolves_relative_imports():
    assert "errors" in every_import("policy.protocol")
    assert "policy.view" in every_import("policy.protocol")
    assert "named" in every_import("policy.load")
    assert "host.rounds" in every_import("host.discrete")
    assert "policy.draw" in imports_at_load("policy")
