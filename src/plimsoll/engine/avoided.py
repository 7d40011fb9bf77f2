"""Preemptions that holding requests back has avoided."""

from __future__ import annotations


class Avoided:
    """Requests held although they fitted, as they would have grown had they started then.

    Each would take its context and a token more a step. Once that is more than is free, vLLM would have preempted
    the newest of them; that counts if it had not yet made what it was predicted to make. An estimate: what really
    runs is taken to run as it did. Everything takes constant time.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, float]] = {}  # tokens at step 0, had it grown since then; predicted end
        self._tokens = 0

    def hold(self, name: str, context: int, predicted: float, step: int) -> None:
        """A request of ``context`` tokens fits and is held at this step; ``predicted`` tokens are to come."""
        self.let_go(name)
        self._held[name] = context - step, step + predicted
        self._tokens += context - step

    def let_go(self, name: str) -> None:
        """It is held no longer: it starts, or is gone."""
        if name in self._held:
            self._tokens -= self._held.pop(name)[0]

    def count(self, free: int, step: int) -> int:
        """Preemptions avoided at this step, at which ``free`` tokens of memory are free.

        Examples
        --------
        >>> avoided = Avoided()
        >>> avoided.hold("long", context=8, predicted=9, step=0)
        >>> [avoided.count(free=10, step=step) for step in (1, 2, 3, 4)]
        [0, 0, 1, 0]
        """
        count = 0
        while self._held and self._tokens + step * len(self._held) > free:
            tokens, end = self._held.popitem()[1]
            self._tokens -= tokens
            count += step < end
        return count
