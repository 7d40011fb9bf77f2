"""Ctrl-C as a question rather than an exception: a search that is asked to stop hands in what it has."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def heard() -> Generator[Callable[[], bool]]:
    """A question: was Ctrl-C pressed? A second Ctrl-C is a KeyboardInterrupt as usual.

    In a thread other than the main one, where no Ctrl-C arrives, the answer is always no.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    usual = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, usual)
