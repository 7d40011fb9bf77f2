"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


@contextmanager
def replacing(path: str | Path) -> Generator[Path]:
    """A temporary path beside ``path``; it takes its place when the block ends well, else it is removed.

    Raises
    ------
    InputError
        If the folder is missing or cannot be written, or ``path`` is a folder; before anything is done.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with replacing(Path(folder.name) / "note.txt") as part:
    ...     _ = part.write_text("all of it")
    >>> [file.name for file in Path(folder.name).iterdir()]
    ['note.txt']
    """
    target = Path(path)
    try:
        _refuse_folder(target)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
        os.close(handle)
        part = Path(name)
        part.chmod(0o666 & ~_umask())
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        yield part
        os.replace(part, target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Refuse, before any work is done, a path where no file can be made; what is there stays as it is.

    Raises
    ------
    InputError
        As from ``replacing``.
    """
    try:
        _refuse_folder(path)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory")


def _umask() -> int:
    """The process's mask for new files, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
