"""Sees to it that a worker hears from the server, however long its jobs run."""

from __future__ import annotations

import time
from typing import Protocol

from .base import Service


class Beating(Protocol):
    """What has a last success and can be asked for the next."""

    last_success: float

    def beat(self) -> None: ...


class PulseService(Service):
    """Asks for a call whenever there was none for an interval.

    Args:
        cycle: The worker's cycle.
        interval: Seconds.
    """

    def __init__(self, cycle: Beating, interval: float) -> None:
        super().__init__(interval / 2)
        self._cycle = cycle
        self._silence = interval / 2

    async def run_once(self) -> int:
        """Ask for a call if the last one is too long ago; it counts for nothing."""
        if time.monotonic() - self._cycle.last_success >= self._silence:
            self._cycle.beat()
        return 0
