"""Hears at once which running jobs were cancelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..storage.cancels import CancelReader
from .base import Service


class CancelService(Service):
    """Reads the queue's stream of cancels and tells the worker.

    What it misses while the server is gone, the keeper finds by the jobs' marks when it renews locks.

    Args:
        reader: The stream, started.
        cancelled: Told of job ids with reasons; most are other workers' jobs.
    """

    def __init__(self, reader: CancelReader, cancelled: Callable[[Mapping[str, str]], None]) -> None:
        super().__init__(0.0)
        self._reader = reader
        self._cancelled = cancelled

    async def run_once(self) -> int:
        """Wait for cancels once; it counts for nothing."""
        if reasons := await self._reader.read():
            self._cancelled(reasons)
        return 0
