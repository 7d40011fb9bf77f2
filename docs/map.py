"""Writes docs/map.md: every module in one line, taken from its docstring. Run as ``python docs/map.py``."""

from __future__ import annotations

import ast
from pathlib import Path

HOME = Path(__file__).parent
SOURCE = HOME.parent / "src" / "plimsoll"
HEAD = """# Map of the code

Data flows one way: a trace is believed by a predictor, scheduled by a policy in a host, and ends as a result,
figures and pictures. Imports follow it; `tests/test_imports.py` holds the order. This page is written by
`python docs/map.py` from the first line of each module's docstring.
"""
# Folders in the order of that flow; others follow in alphabetical order.
FLOW = (
    "",
    *("formats", "workload", "predict", "policy", "policies", "steptime", "host", "bounds", "experiment", "report"),
    *("reproduce", "engine", "proxy", "cli"),
)


def summary(path: Path) -> str:
    """The first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.partition("\n")[0].replace("``", "`").replace("|", "\\|")


def render() -> str:
    """The whole page."""
    folders: dict[str, list[Path]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        folders.setdefault(path.parent.relative_to(SOURCE).as_posix().removeprefix("."), []).append(path)
    rank = {name: place for place, name in enumerate(FLOW)}
    parts = [HEAD]
    for folder, paths in sorted(folders.items(), key=lambda pair: (rank.get(pair[0], len(FLOW)), pair[0])):
        told = summary(SOURCE / folder / "__init__.py")
        parts.append(f"## {f'{folder}/' if folder else 'plimsoll'}\n\n" + (f"{told}\n\n" if told else ""))
        inside = [path for path in paths if path.name != "__init__.py"]
        if inside:
            parts[-1] += "| module | what it holds |\n|---|---|\n"
            parts[-1] += "".join(f"| `{path.name}` | {summary(path)} |\n" for path in inside)
    return "\n".join(parts)


if __name__ == "__main__":
    (HOME / "map.md").write_text(render())
