"""What can be seen of a worker: what it runs and has run, and whether it makes progress."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Protocol

from ..health import MAX_AGE
from ..options import seconds
from .cycle import Cycle
from .runs import Runs


class Recovering(Protocol):
    """What gives back jobs of dead workers."""

    recovered: int


class Reconnecting(Protocol):
    """What has a connection."""

    @property
    def reconnects(self) -> int: ...


class Observed:
    """The part of `Worker` that only looks."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._cycle: Cycle | None = None
        self._ended = asyncio.Event()
        self._recovering: tuple[Recovering, ...] = ()
        self._connections: tuple[Reconnecting, ...] = ()

    @property
    def running(self) -> int:
        """How many jobs run now."""
        return len(self._runs)

    @property
    def begun(self) -> int:
        """How many runs have begun."""
        return self._runs.begun

    @property
    def completed(self) -> int:
        """How many jobs this worker has completed."""
        return self._runs.completed

    @property
    def failed(self) -> int:
        """How many jobs this worker has failed for good."""
        return self._runs.failed

    @property
    def retried(self) -> int:
        """How many runs have ended with their jobs to run again, for whatever reason."""
        return self._runs.retried

    @property
    def handed_back(self) -> int:
        """How many of these were handed back unspent, for the worker stopped."""
        return self._runs.handed_back

    @property
    def lost_locks(self) -> int:
        """How many of its jobs were found to be no longer its own, and not settled."""
        return self._runs.lost_locks

    @property
    def recovered(self) -> int:
        """How many jobs of dead workers this one has given back."""
        return sum(each.recovered for each in self._recovering)

    @property
    def reconnects(self) -> int:
        """How often one of its connections was made anew."""
        return sum(each.reconnects for each in self._connections)

    @property
    def finished(self) -> int:
        """How many runs have ended."""
        return self.completed + self.failed + self.retried

    @property
    def is_running(self) -> bool:
        """Whether `run` has begun and not ended."""
        return self._cycle is not None and not self._ended.is_set()

    @property
    def last_success(self) -> float | None:
        """When a call to the server last succeeded, by `time.monotonic`; None before and after the run.

        It goes on while the worker is idle, paused, or busy with long jobs, and is noted in the event
        loop: one that stands still is a worker that makes no progress, whatever the reason.
        """
        return None if self._cycle is None or self._ended.is_set() else self._cycle.last_success

    def healthy(self, max_age: float | timedelta = MAX_AGE) -> bool:
        """Whether a call to the server succeeded within `max_age` seconds; from any thread."""
        last = self.last_success
        return last is not None and time.monotonic() - last <= seconds(max_age, "max_age")
