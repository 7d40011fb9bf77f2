"""docs/map.md names every module in one line, and nothing else."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAP = runpy.run_path(str(ROOT / "docs" / "map.py"))


def test_the_map_is_up_to_date():
    assert (ROOT / "docs" / "map.md").read_text() == MAP["render"](), "run: python docs/map.py"


def test_every_module_says_what_it_holds():
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if not MAP["summary"](path).strip() and path.name != "__init__.py"
    ]
    assert silent == []
