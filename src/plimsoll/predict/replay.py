"""A learning predictor outside a host: fed one request after another, kept in a file and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..policy.protocol import ask, parameters
from ..policy.view import REQUEST, RUNNING, Columns, History, records
from ..trace import Floats, Ints, Trace
from . import plain
from .survival import POINTS

MAGIC = "plimsoll predictor state"
VERSION = 1


class State(NamedTuple):
    """What a predictor has learned: its memory, shape (m,), and its curves, shape (kinds, POINTS)."""

    memory: Floats
    survival: Floats


def fresh(predictor: Any) -> State:
    """The state of a predictor that has seen nothing."""
    belief = predictor.plan(Trace.of([(0.0, 1, 1)]), np.random.default_rng(0))
    return State(np.array(belief.memory, np.float64), np.array(belief.survival, np.float64, order="C"))


def replay(
    predictor: Any, trace: Trace, order: Ints, learns: bool = True, state: State | None = None
) -> tuple[Columns, State]:
    """Ask a learning predictor for each request in turn and, with ``learns``, tell it the output at once.

    Parameters
    ----------
    order : rows of the trace, in the order in which they come.
    state : what it knows before; nothing by default. It is not changed.

    Returns
    -------
    Records of every row of the trace with ``predicted``, ``lower``, ``upper`` and ``kind`` as said when its turn
    came, and what is known after the last.
    """
    predict, learn, p = ask(predictor, "predict"), ask(predictor, "learn"), parameters(predictor)
    known = fresh(predictor) if state is None else State(state.memory.copy(), state.survival.copy())
    columns = predictor.plan(trace, np.random.default_rng(0)).columns
    requests = records(len(trace), REQUEST)
    requests["prompt"] = trace.prompt
    requests["client"] = 0 if trace.client is None else trace.client
    facts = np.zeros((0, 1)) if columns is None else columns
    nobody = records(0, RUNNING)
    history = History(0.0, 0, requests, nobody, known.survival, facts, known.memory)
    for i in order:
        predict(history, p, int(i))
        if learns:
            learn(history, p, int(i), int(trace.output[i]))
    return requests, known


def save_state(path: str | Path, predictor: Any, state: State) -> None:
    """Write what a predictor has learned; an existing file is replaced, and only by a whole one."""
    plain.write(path, MAGIC, _form(predictor), state._asdict())


def load_state(path: str | Path, predictor: Any) -> State:
    """What this predictor, with these parameters, had learned.

    Raises
    ------
    InputError
        One line, if the file is missing, changed after it was written, or of another predictor or version.
    """
    _, arrays = plain.read(path, MAGIC, _form(predictor), "start afresh without it")
    return State(arrays["memory"].copy(), arrays["survival"].copy())


def _form(predictor: Any) -> dict[str, Any]:
    sizes = [len(fresh(predictor).memory), POINTS]
    return {"version": VERSION, "predictor": repr(predictor), "sizes": sizes}
