"""The README and the pages of docs that say they are tested do what they say.

Blocks run in the order of the page, in one folder: a ``console`` block's commands must print what follows them,
a ``python`` block with ``>>>`` is a doctest, one whose first line names a file (``# shortest.py``) becomes that
file, as does a ``toml`` block, and any other is run. ``...`` stands for anything. A command that downloads is left out.
"""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTED = "<!-- tested -->"
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if TESTED in page.read_text().splitlines()),
]
BLOCK = re.compile(r"^```(console|python|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
CHECKER, FLAGS = doctest.OutputChecker(), doctest.ELLIPSIS


def check_console(block: str, folder: Path) -> None:
    """Run the commands of a block and compare what they print."""
    assert COMMAND.sub("", block) == "", f"not a command and its output:\n{block}"
    shim = f'plimsoll() {{ "{sys.executable}" -m plimsoll "$@"; }}\n'
    for command, expected in COMMAND.findall(block):
        if "trace fetch" in command:
            continue
        done = subprocess.run(
            ["bash", "-c", f"{shim}{command} 2>&1"], cwd=folder, capture_output=True, text=True, check=False
        )
        printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        if not CHECKER.check_output(expected, printed, FLAGS):
            pytest.fail(f"$ {command}\nprints\n{printed}\nbut the page says\n{expected}", pytrace=False)


def check_python(block: str, folder: Path, names: dict[str, object]) -> None:
    """Run a block, or write it to the file that its first line names."""
    if named := re.match(r"# (\S+\.py)\n", block):
        (folder / named[1]).write_text(block)
    elif ">>>" in block:
        told: list[str] = []
        test = doctest.DocTestParser().get_doctest(block, names, "page", None, None)
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append, clear_globs=False)
        names |= test.globs
        assert not told, "".join(told)
    else:
        exec(compile(block, "page", "exec"), names)


def write_toml(block: str, folder: Path) -> None:
    """Write a block to the file that its first line names."""
    named = re.match(r"# (\S+\.toml)\n", block)
    assert named, f"the block does not name its file in a first line such as # grid.toml:\n{block}"
    (folder / named[1]).write_text(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, object] = {}
    blocks = BLOCK.findall(page.read_text())
    assert blocks, "the page says that it is tested, but nothing in it can be run"
    for kind, block in blocks:
        if kind == "console":
            check_console(block, tmp_path)
        elif kind == "toml":
            write_toml(block, tmp_path)
        else:
            check_python(block, tmp_path, names)


def test_links_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
