"""Flow control: so many activations per round that memory settles below capacity."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError, feasible
from ..policy import Plan, View, greedy_wait

_CLASS, _SPACING, _RELEASE = 0, 1, 2  # columns: class, rounds between two starts in it, round of release


class FlowControl(NamedTuple):
    """First come, first served within each class, which starts so many requests a round; overflow evicts the newest.

    budget : activations per round of each class; 0 shares M among the classes as they occur in the workload.
    known : classes by prompt and predicted length, each rounded up to a power of two; without, one class for all.

    A budget below 1 starts one request every 1/budget rounds.
    """

    budget: float = 0.0
    known: bool = True

    ranges = {"budget": (0.0, float("inf"))}
    uses = "class"
    guarantee = "memory settles at Σ budget · volume ≤ M while arrivals keep up"
    source = "arXiv:2604.11001"

    def plan(self, requests: Any, capacity: int, rng: np.random.Generator) -> Plan:
        prompt, predicted = requests["prompt"].astype(np.float64), np.array(requests["predicted"])
        label = _classes(prompt, predicted) if self.known else np.zeros(len(prompt), dtype=np.int64)
        work = prompt * predicted + predicted * (predicted + 1) / 2
        count = np.bincount(label)
        budget = np.full(len(count), self.budget) if self.budget > 0 else count * (capacity / work.sum())
        mean = np.bincount(label, work) / count
        if budget @ mean > capacity * (1 + 1e-9):
            most = capacity / mean.sum()
            raise InputError(
                f"flow-control: a budget of {self.budget:g} per round and class needs {budget @ mean:,.0f} tokens of "
                f"{capacity:,}; feasible up to {feasible(most)}"
            )
        return Plan(
            np.column_stack([label.astype(np.float64), 1.0 / budget[label], np.zeros(len(label))]),
            np.full(len(count), -np.inf),
        )

    def rank(self, view: View, i: int) -> float:
        """The round at which the class's budget lets i start; budgets are not saved up."""
        group = int(view.columns[i, _CLASS])
        view.memory[group] = max(view.now, view.memory[group] + view.columns[i, _SPACING])
        view.columns[i, _RELEASE] = view.memory[group]
        return view.memory[group]

    def admit(self, view: View, i: int) -> int:
        wait = ceil(view.columns[i, _RELEASE] - view.now)
        if wait > 0:
            return wait
        return greedy_wait(view, i)


def steady_memory(prompt: npt.ArrayLike, output: npt.ArrayLike, budget: float) -> float:
    """Σ budget · volume over classes (prompt, output), tokens: where memory settles."""
    s, o = np.asarray(prompt, dtype=np.float64), np.asarray(output, dtype=np.float64)
    return float(budget * (s * o + o * (o + 1) / 2).sum())


def _classes(prompt: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    bits = np.ceil(np.log2(np.maximum(prompt, 1))) * 64 + np.ceil(np.log2(np.maximum(predicted, 1)))
    return np.unique(bits, return_inverse=True)[1]
