"""A panel: numbers with names and units. Drawn in the report, in a figure for a paper, or written as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..host.result import Floats

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes
    ----------
    unit : "tokens", "rounds", "s", …; empty for a pure number.
    log : a logarithmic scale; values at or below 0 are left out.
    names : of the places 0, 1, …, for an axis that lists things.
    time : the axis is the run's clock, shared by all such panels.
    limits : its two ends, where they are not those of what is drawn.
    """

    label: str
    unit: str = ""
    log: bool = False
    names: tuple[str, ...] = ()
    time: bool = False
    limits: tuple[float, float] | None = None

    @property
    def title(self) -> str:
        """Label and unit, as written beside the axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True)
class Series:
    """One line of a panel. ``run`` is its run's place in the ranking, None where it belongs to no run."""

    name: str
    x: Floats
    y: Floats
    run: int | None = None


@dataclass(frozen=True)
class Mark:
    """A straight line across a panel, at a value of one axis ("x" or "y")."""

    axis: str
    at: float
    label: str


@dataclass(frozen=True)
class Stretch:
    """A part of the x axis that is shaded."""

    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes
    ----------
    name : short and unique, as ``--panel`` takes it.
    title : what it shows.
    note : how to read it, one line.
    kind : "line", "points" (a line through a few measured points), "dot" (a value per name of the y axis) or "heat"
        (a value per pair of names).
    cells : shape (y names, x names) of a heat map, infinite where a run was unstable; else None.
    shaded : a part of the x axis with a ground of its own.
    """

    name: str
    title: str
    note: str
    x: Axis
    y: Axis
    series: Sequence[Series] = ()
    marks: Sequence[Mark] = ()
    kind: str = "line"
    cells: Floats | None = field(default=None)
    shaded: Stretch | None = None

    def table(self) -> pl.DataFrame:
        """The numbers drawn, one row each: panel, series, x, y; of a heat map x is a name and y the value."""
        import polars as pl

        if self.cells is not None:
            rows, columns = np.indices(self.cells.shape)
            return pl.DataFrame(
                {
                    "panel": self.name,
                    "series": [self.y.names[r] for r in rows.ravel()],
                    "x": [self.x.names[c] for c in columns.ravel()],
                    "y": np.where(np.isfinite(self.cells), self.cells, np.nan).ravel(),
                }
            ).with_columns(pl.col("y").fill_nan(None))
        parts = [
            pl.DataFrame({"panel": self.name, "series": s.name, "x": s.x, "y": s.y}).cast(
                {"x": pl.Float64, "y": pl.Float64}
            )
            for s in self.series
        ]
        return pl.concat(parts) if parts else pl.DataFrame()
