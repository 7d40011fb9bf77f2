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
        self._outputs = np.empty(WINDOW)
        self._count = 0
        self._clock = 0.0
        self._start = start
        if not patience > 0:
            raise InputError(f"--patience must be above 0, not {patience:g}")
        self._patience = patience
        self._moments = (float(FIRST_GUESS), float(FIRST_GUESS) ** 2)

    def __len__(self) -> int:
        """Answers learned from, the forgotten ones included."""
        return self._count

    def learn(self, prompt: float, output: float) -> None:
        """An answer of ``output`` tokens to a prompt of ``prompt`` tokens has passed."""
        self._outputs[self._count % WINDOW] = output
        self._count += 1
        recent = self._outputs[: min(self._count, WINDOW)]
        self._moments = _moments(recent)
        self._clock += (prompt * output + output * (output + 1) / 2) / self._patience

    def moments(self, limit: int | None = None) -> tuple[float, float]:
        """Mean and mean square of the output, tokens and tokens²; ``limit`` is the request's own maximum."""
        if limit is None:
            return self._moments
        if self._count == 0:
            guess = float(min(limit, FIRST_GUESS))
            return guess, guess**2
        return _moments(np.minimum(self._outputs[: min(self._count, WINDOW)], limit))

    def priority(self, prompt: float, limit: int | None = None) -> int:
        """Expected volume s·E[o] + (E[o²] + E[o])/2 plus the ageing clock; an integer, lower first."""
        mean, square = self.moments(limit)
        return self._start + int(prompt * mean + (square + mean) / 2 + self._clock)


def _moments(outputs: np.ndarray) -> tuple[float, float]:
    return float(outputs.sum()) / len(outputs), float(outputs @ outputs) / len(outputs)
