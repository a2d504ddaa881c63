"""Fetching jobs before their slots are free, for a worker with many short jobs."""

from __future__ import annotations

import time

FEW = 8
"""Jobs that a worker with fewer slots may have at a time."""
SHARE = 4
"""Any worker may have one more job for so many slots."""
BUDGET = 0.001
"""Seconds that a job which was fetched ahead should wait for its slot, at the most."""
PATIENCE = 0.002
"""Seconds after which the jobs that wait are looked at; those that do so the second time go back."""

_LONG = 1.0
_WEIGHT = 1 / 8


class Ahead:
    """Says how many more jobs are to be fetched than there are free slots.

    A slot need not wait for the server then. And with few slots a call would settle and fetch one job
    or two, and cost almost as much as one for many. How many are fetched ahead follows from how fast
    slots come free.
    """

    def __init__(self) -> None:
        self._between = _LONG
        self._last = time.monotonic()

    def ended(self) -> None:
        """A slot has come free."""
        now = time.monotonic()
        self._between += (now - self._last - self._between) * _WEIGHT
        self._last = now

    def reset(self) -> None:
        """The queue is empty, or a job has waited for its slot too long: begin to count anew."""
        self._between = _LONG

    def places(self, concurrency: int) -> int:
        """How many jobs may wait for slots of a worker that has `concurrency` of them."""
        most = max(FEW - concurrency, concurrency // SHARE)
        return min(most, int(BUDGET / self._between))
