"""Whether a Ray cluster answers, asked from a process of its own.

    python -m plimsoll.experiment.probe ADDRESS SECONDS

Ray's native code retries without end and writes to stderr as it likes; a process can be ended and its stderr closed.
Prints nothing where all is well, else what is wrong.
"""

from __future__ import annotations

import logging
import re
import signal
import socket
import subprocess
import sys
from importlib import import_module
from typing import Any


def complaint(address: str, patience_s: float) -> str:
    """What is wrong with the cluster at ``address``; empty where nothing is."""
    words = [sys.executable, "-m", __name__, address, str(patience_s)]
    overdue = f"no answer in {patience_s:g} s"
    try:
        _reach(address, patience_s)
    except TimeoutError:
        return overdue
    except OSError as error:
        return error.strerror or str(error)
    asked = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    if asked.returncode == 0 and not asked.stdout.strip():
        return ""
    why = re.findall(r"error: (.+)$", asked.stderr, re.MULTILINE)[-1:]  # as Ray's native code ends its lines
    what = overdue if asked.returncode == -signal.SIGALRM else asked.stdout.strip() or "Ray does not start here"
    return "; ".join([what, *why])


def _reach(address: str, patience_s: float) -> None:
    """Raise an OSError unless something listens at HOST:PORT; ``auto`` and other names are left to Ray."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), patience_s).close()


def _ask(address: str, patience_s: float) -> str:
    ray: Any = import_module("ray")
    signal.setitimer(signal.ITIMER_REAL, patience_s)  # ends this process, whatever native code does
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
        ray.shutdown()
    except Exception as error:  # of many kinds, each with a line for the user
        return " ".join(str(error).split())
    return ""


if __name__ == "__main__":
    print(_ask(sys.argv[1], float(sys.argv[2])))
