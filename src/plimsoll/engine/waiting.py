"""A waiting queue in the policy's order, with a gate that the policy keeps."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

_Entry = list[Any]  # [place, joined, request]; the request is None once it has left


class Waiting:
    """Requests by (place, order of joining), smallest first; joining and leaving take O(log n).

    While the gate is set, the queue looks empty to an engine whose head may not start now: a scheduler that
    asks ``if queue`` before it takes the head then admits nobody, and no request ever leaves the queue for it.

    Parameters
    ----------
    place : the place of a request that joins.
    key : what identifies a request.
    """

    def __init__(self, place: Callable[[Any], Any], key: Callable[[Any], Any]) -> None:
        self.place = place
        self.gate: Callable[[], bool] | None = None
        self._key = key
        self._heap: list[_Entry] = []
        self._entries: dict[Any, _Entry] = {}
        self._aside: list[_Entry] = []
        self._joined = 0

    def join(self, request: Any) -> None:
        """Take a request in."""
        self._joined += 1
        entry = [self.place(request), self._joined, request]
        self._entries[self._key(request)] = entry
        heapq.heappush(self._heap, entry)

    def head(self) -> Any:
        """The first request.

        Raises
        ------
        IndexError
            If there is none.
        """
        while self._heap[0][2] is None:
            heapq.heappop(self._heap)
        return self._heap[0][2]

    def take(self) -> Any:
        """Remove the first request and return it."""
        request = self.head()
        heapq.heappop(self._heap)
        del self._entries[self._key(request)]
        return request

    def leave(self, request: Any) -> None:
        """Remove a request, wherever it stands; nothing happens if it is not there."""
        entry = self._entries.pop(self._key(request), None)
        if entry is not None:
            entry[2] = None

    def set_aside(self) -> None:
        """Pass over the first request until `bring_back`."""
        self.head()
        self._aside.append(heapq.heappop(self._heap))

    def bring_back(self) -> None:
        """Return the requests set aside to their places."""
        for entry in self._aside:
            heapq.heappush(self._heap, entry)
        self._aside.clear()

    def reorder(self) -> None:
        """Ask every request's place again."""
        self._heap = [
            [self.place(entry[2]), entry[1], entry[2]] for entry in self._entries.values() if entry[2] is not None
        ]
        self._aside.clear()
        self._entries = {self._key(entry[2]): entry for entry in self._heap}
        heapq.heapify(self._heap)

    def at_head(self) -> bool:
        """True if there is a head: somebody is waiting who is not set aside."""
        while self._heap and self._heap[0][2] is None:
            heapq.heappop(self._heap)
        return bool(self._heap)

    def __bool__(self) -> bool:
        return self.gate() if self.gate else bool(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Any]:
        return iter([entry[2] for entry in sorted(self._entries.values(), key=lambda entry: entry[:2])])
