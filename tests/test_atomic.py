"""Files appear whole or not at all."""

import pytest

from plimsoll.atomic import replacing
from plimsoll.errors import InputError


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_and_fail() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_and_fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="cannot be written"), replacing(tmp_path / "none" / "a.txt"):
        pass
