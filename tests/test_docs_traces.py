"""The commands of docs/traces.md print what the page says."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "traces.md"


def _commands() -> list[tuple[str, str]]:
    """Each command of the page and the output that follows it; downloads aside."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    pairs = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [(command, output) for command, output in pairs if "fetch" not in command]


def test_commands_print_what_the_page_says(tmp_path):
    commands = _commands()
    assert len(commands) >= 8
    shim = f'plimsoll() {{ "{sys.executable}" -m plimsoll "$@"; }}\n'
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", f"{shim}{command} 2>&1"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        assert printed == expected, command
