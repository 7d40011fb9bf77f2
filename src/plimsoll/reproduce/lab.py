"""Where experiments run: how thorough to be, which lengths to use, what is finished already, where tables go."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..errors import InputError
from ..report.panel import Axis, Panel, Series
from ..source import read_trace
from ..trace import Floats, Ints, Trace
from ..workload.lengths import Lognormal


@dataclass(frozen=True)
class Table:
    """A table of an experiment: published figures beside ours."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


class Cells:
    """Finished cells of experiments by name, kept in a JSON file that is rewritten whole after each.

    Parameters
    ----------
    path : the file; None keeps them in memory alone.

    Raises
    ------
    InputError
        If the file is there and is not one of finished cells.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._done: dict[str, Any] = {}
        if path is not None and path.exists():
            try:
                told = json.loads(path.read_text(encoding="utf-8"))
                self._done = dict(told["cells"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}: not a file of finished cells: {type(error).__name__}") from None

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        """The cell of that name, made now if it is not there."""
        if name not in self._done:
            self._done[name] = make()
            self._keep()
        return self._done[name]

    def _keep(self) -> None:
        if self._path is not None:
            with replacing(self._path) as part:
                part.write_text(json.dumps({"cells": self._done}), encoding="utf-8")


@dataclass(frozen=True)
class Lab:
    """What an experiment is given.

    Attributes
    ----------
    quick : few trials and short traces, in place of the papers' own numbers.
    cells : what is finished already.
    lengths : prompts and outputs of a real data set, or None for the built-in stand-in.
    table, figure, say : where tables, figures and progress go.
    """

    quick: bool
    cells: Cells
    lengths: Trace | None = None
    table: Callable[[Table], None] = lambda table: None
    figure: Callable[[Panel], None] = lambda panel: None
    say: Callable[[str], None] = lambda text: None

    def cell(self, name: str, make: Callable[[], Mapping[str, float]], **settings: Any) -> dict[str, float]:
        """Figures of one cell of an experiment, from before where the same code finished it with the same settings."""
        self.say(name + "".join(f" {key}={value}" for key, value in settings.items()))
        key = json.dumps([name, settings, _code(), self._mark], sort_keys=True, default=str)
        return self.cells.get(key, lambda: {figure: float(value) for figure, value in make().items()})

    @property
    def _mark(self) -> str:
        """Tells one data set from another."""
        if self.lengths is None:
            return ""
        columns = np.concatenate([self.lengths.prompt, self.lengths.output])
        return hashlib.sha256(columns.tobytes()).hexdigest()[:12]

    def chat(self, count: int, rng: np.random.Generator, longest: int) -> tuple[Ints, Ints]:
        """Prompts and outputs of chat requests, shape (count,) each, none with more than ``longest`` tokens in all.

        Drawn from the data set that was given; else the lognormals with the means and medians of LMSYS-Chat-1M that
        arXiv:2502.07115 prints.
        """
        if self.lengths is not None:
            fits = np.flatnonzero(self.lengths.peak <= longest)
            if not len(fits):
                raise InputError(f"{self.lengths.name}: no request has at most {longest} tokens")
            rows = rng.choice(fits, count)
            return self.lengths.prompt[rows], self.lengths.output[rows]
        prompt, output = _stand_in(11, 1.616, 8192, count, rng), _stand_in(45, 1.131, 4096, count, rng)
        prompt = np.minimum(prompt, longest // 2)
        return prompt, np.minimum(output, longest - prompt)

    @property
    def source(self) -> str:
        """Where chat lengths come from, for notes."""
        return "stand-in lengths" if self.lengths is None else f"lengths of {self.lengths.name}"


@cache
def _code() -> str:
    """Tells one state of the code from another: a cell made by an older one is made again."""
    home = Path(__file__).parents[1]
    told = hashlib.sha256()
    for path in sorted(home.rglob("*.py")):
        told.update(path.read_bytes())
    return told.hexdigest()[:12]


def _stand_in(median: float, sigma: float, high: int, count: int, rng: np.random.Generator) -> Ints:
    return Lognormal(float(np.log(median)), sigma, high=high).quantile(rng.uniform(size=count)).astype(np.int64)


def read_lengths(path: Path) -> Trace:
    """A data set of lengths: any trace file; arrivals are not used."""
    return read_trace(str(path))


def burst(prompt: Ints, output: Ints, name: str = "burst") -> Trace:
    """Requests that all arrive at time 0."""
    return Trace(np.zeros(len(prompt)), prompt, output, name)


def poisson(rate: float, prompt: Ints, output: Ints, rng: np.random.Generator, name: str = "poisson") -> Trace:
    """Requests in Poisson arrivals, ``rate`` a second."""
    return Trace(np.cumsum(rng.exponential(1 / rate, len(prompt))), prompt, output, name)


def curves(
    name: str, title: str, x: Axis, y: Axis, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
) -> Panel:
    """A figure of measured points, a line for each name."""
    series = [
        Series(label, np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64), k)
        for k, (label, (a, b)) in enumerate(lines.items())
    ]
    return Panel(name, title, "", x, y, series, kind="points")


def slope(x: Floats, y: Floats) -> float:
    """Of the least-squares line through the points."""
    return float(np.polyfit(x, y, 1)[0])


@dataclass
class Worst:
    """The largest of the ratios seen, and their mean."""

    ratios: list[float] = field(default_factory=list[float])

    def see(self, ratio: float) -> None:
        """One more."""
        self.ratios.append(float(ratio))

    def told(self, name: str = "ratio") -> dict[str, float]:
        """Worst and mean, by name."""
        return {f"worst {name}": max(self.ratios), f"mean {name}": float(np.mean(self.ratios))}
