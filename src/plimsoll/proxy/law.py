"""What the answers that passed say about the next one: the law of recent output lengths."""

from __future__ import annotations

import numpy as np

from ..errors import InputError

WINDOW = 2000
FIRST_GUESS = 256  # output tokens before any answer has passed; any constant orders by prompt
PATIENCE = 60.0  # mean volumes of work that a request of mean volume lets pass, at most


class OutputLaw:
    """The empirical law of the most recent output lengths, and the priority that follows from it.

    ``priority = E[volume | prompt] + served / patience``, lower first. ``served`` is the volume of the
    answers so far: on a busy engine it grows in proportion to time, so this is expected volume plus linear
    ageing with a weight that follows the engine's own speed, and it is fixed when the request arrives.

    Parameters
    ----------
    start : first value of the ageing clock. A proxy that restarts must rank new requests behind those that
        the engine still holds, so this grows with the time of the start.
    patience : mean volumes of served work that outweigh one mean volume of rank.
    """

    def __init__(self, start: int = 0, patience: float = PATIENCE) -> None:
        self._outputs = np.zeros(WINDOW)
        self._sum = self._square = 0.0  # of the outputs in the window
        self._count = 0
        self._under: dict[
            int, tuple[float, float]
        ] = {}  # moments under a limit, until the law has grown by a hundredth
        self._clock = 0.0
        self._start = start
        if not patience > 0:
            raise InputError(f"--patience must be above 0, not {patience:g}")
        self._patience = patience

    def __len__(self) -> int:
        """Answers learned from, the forgotten ones included."""
        return self._count

    def learn(self, prompt: float, output: float) -> None:
        """An answer of ``output`` tokens to a prompt of ``prompt`` tokens has passed."""
        at = self._count % WINDOW
        oldest = float(self._outputs[at])
        self._outputs[at] = output
        self._sum += output - oldest
        self._square += output**2 - oldest**2
        self._count += 1
        if self._count % max(1, min(self._count, WINDOW) // 100) == 0:
            self._under.clear()
        self._clock += (prompt * output + output * (output + 1) / 2) / self._patience

    def moments(self, limit: int | None = None) -> tuple[float, float]:
        """Mean and mean square of the output, tokens and tokens²; ``limit`` is the request's own maximum.

        Under a limit they may lack the last hundredth of the answers.
        """
        seen = min(self._count, WINDOW)
        if seen == 0:
            guess = float(FIRST_GUESS if limit is None else min(limit, FIRST_GUESS))
            return guess, guess**2
        if limit is None:
            return self._sum / seen, self._square / seen
        if limit not in self._under:
            cut = np.minimum(self._outputs[:seen], limit)
            self._under[limit] = float(cut.sum()) / seen, float(cut @ cut) / seen
        return self._under[limit]

    def priority(self, prompt: float, limit: int | None = None) -> int:
        """Expected volume s·E[o] + (E[o²] + E[o])/2 plus the ageing clock; an integer, lower first."""
        mean, square = self.moments(limit)
        return self._start + int(prompt * mean + (square + mean) / 2 + self._clock)
