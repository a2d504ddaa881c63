"""Fetching jobs before their slots are free, for a worker with many short jobs."""

from __future__ import annotations

import time

FEW = 8
"""Jobs that a worker with fewer slots may have at a time."""
HORIZON = 0.005
"""Seconds that a job which was fetched ahead should wait for its slot, at the most."""
PATIENCE = HORIZON
"""Seconds after which the jobs that wait are looked at; those that do so the second time go back."""

_SLACK = 0.002
"""Seconds added to a call's: timers are good for a millisecond, so slots come free by bursts."""
_WINDOW = 0.005
_WEIGHT = 1 / 4


class Ahead:
    """Says how many more jobs are to be fetched than there are free slots.

    A slot need not wait for the server then. And with few slots a call would settle and fetch one job
    or two, and cost almost as much as one for many. How many are fetched ahead is how many slots come
    free while a call is under way, by Little's law; never more than there are slots, or a few.
    """

    def __init__(self) -> None:
        self._latency = 0.0
        self.reset()

    def reset(self) -> None:
        """The queue is empty, or a job has waited for its slot too long: begin to count anew."""
        self._rate = 0.0
        self._ended = 0
        self._since = time.monotonic()

    def ended(self) -> None:
        """A slot has come free."""
        self._ended += 1

    def answered(self, seconds: float) -> None:
        """A call was answered after so long."""
        self._latency += (seconds - self._latency) * _WEIGHT

    def places(self, concurrency: int) -> int:
        """How many jobs may wait for slots of a worker that has `concurrency` of them."""
        now = time.monotonic()
        elapsed = now - self._since
        if elapsed >= _WINDOW:
            self._rate += (self._ended / elapsed - self._rate) * _WEIGHT
            self._ended, self._since = 0, now
        most = max(FEW - concurrency, concurrency)
        return min(most, int(self._rate * min(self._latency + _SLACK, HORIZON)))
