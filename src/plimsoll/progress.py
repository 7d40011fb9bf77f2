"""How far a run is: a small array that a compiled loop writes and another thread reads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np


class Progress:
    """Told of a running loop: ``show(done, total)`` is called a few times a second from the calling thread.

    With ``memory``, ``show(done, total, now, held)``: also the host's clock and the KV tokens held.
    """

    def __init__(self, show: Callable[..., None], every_s: float = 0.2, memory: bool = False) -> None:
        self.show = show
        self.every_s = every_s
        self.memory = memory


def call(loop: Callable[..., Any], *arguments: Any, total: int, progress: Progress | None) -> Any:
    """``loop(*arguments, flags)`` with ``flags`` of shape (4,).

    The loop writes the requests done so far into 0, its clock into 2 and the KV tokens held into 3; 1 in place 1 asks
    it to stop.

    ``total`` is what there is to do. With ``progress`` the loop runs in a thread of its own, so that it can be
    watched, and Ctrl-C stops it.
    """
    flags = np.zeros(4, np.int64)
    if progress is None:
        return loop(*arguments, flags)
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(loop, *arguments, flags)
        try:
            while not wait([future], progress.every_s).done:
                progress.show(int(flags[0]), total, *(map(int, flags[2:]) if progress.memory else ()))
        except KeyboardInterrupt:
            flags[1] = 1
            raise
        return future.result()
