"""The README and the pages of docs do what they say, and every link in them leads somewhere.

Blocks run in the order of the page, in one folder: a ``console`` block's commands must print what follows them,
a ``python`` block with ``>>>`` is a doctest, one whose first line names a file (``# shortest.py``) becomes that
file, as does a ``toml`` block, any other is run, and so is a ``sh`` block. ``...`` stands for anything. A block is left
out only where the line before it says why: ``<!-- not run: it needs a GPU -->``.
"""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LISTED = ("python", "console", "toml", "sh", "text", "{eval-rst}", "{toctree}")
FENCE = re.compile(r"^```(\S*)$.*?^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^(?:<!-- (.*?) -->\n)?```(console|python|toml|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BY_CI = ("run", "test")  # marks of the README's two commands, which the checks of the project run word for word
PAGES = [page for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))) if BLOCK.search(page.read_text())]
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
CHECKER, FLAGS = doctest.OutputChecker(), doctest.ELLIPSIS


def shell(command: str, folder: Path) -> tuple[int, str]:
    """Run it as a reader would, with this project's plimsoll; its exit code and all that it prints."""
    shim = f'plimsoll() {{ "{sys.executable}" -m plimsoll "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", f"{shim}{command}"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def check_console(block: str, folder: Path) -> None:
    """Run the commands of a block and compare what they print."""
    assert COMMAND.sub("", block) == "", f"not a command and its output:\n{block}"
    for command, expected in COMMAND.findall(block):
        _, printed = shell(command, folder)
        if not CHECKER.check_output(expected, printed, FLAGS):
            pytest.fail(f"$ {command}\nprints\n{printed}\nbut the page says\n{expected}", pytrace=False)


def check_script(block: str, folder: Path) -> None:
    """Run a block of which only success is expected."""
    code, printed = shell(f"set -e\n{block}", folder)
    if code != 0:
        pytest.fail(f"{block}\nends with exit code {code}:\n{printed}", pytrace=False)


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
    for mark, kind, block in BLOCK.findall(page.read_text()):
        if mark.startswith("not run: ") or mark in BY_CI:
            continue
        assert not mark, f"{page.name}: a mark that says nothing to the tests: {mark}"
        if kind == "console":
            check_console(block, tmp_path)
        elif kind == "sh":
            check_script(block, tmp_path)
        elif kind == "toml":
            write_toml(block, tmp_path)
        else:
            check_python(block, tmp_path, names)


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.glob("*.md")], ids=lambda page: page.name)
def test_blocks_are_of_a_kind_that_is_known(page):
    for kind in FENCE.findall(page.read_text()):
        assert kind in LISTED, f"{page.name}: nothing runs a block of {kind or 'no kind'}"


# ---- links


def anchors(page: Path) -> set[str]:
    """The places in a page that a link can name: its headings as GitHub and MyST write them, and its labels."""
    text = FENCE.sub("", page.read_text())
    found = set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"[`*]|\]\(.*?\)|\[", "", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.glob("*.md")], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text())
    for target in re.findall(r"\]\(((?!https?:)[^)\s]+)\)", text):
        path, _, anchor = unquote(target).partition("#")
        there = page if not path else page.parent / path
        assert there.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}, where there are {sorted(anchors(there))}"


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.glob("*.md")], ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    for name in re.findall(r"\b((?:benchmarks|tests|docs)/[a-z\d_/]+\.\w+)", page.read_text()):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_every_page_is_in_the_table_of_contents():
    listed = set(re.findall(r"^([\w-]+)$", (DOCS / "index.md").read_text(), re.MULTILINE))
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= listed
