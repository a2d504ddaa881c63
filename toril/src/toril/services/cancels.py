"""Hears at once which running jobs were cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..storage.cancels import CancelOrder, CancelReader
from .base import Service


class CancelService(Service):
    """Reads the queue's stream of cancels and tells the worker.

    What it misses while the server is gone, the keeper finds by the jobs' marks when it renews locks.

    Args:
        reader: The stream, started.
        ordered: Told of the orders, most of which are for other workers; of none after a while without.
    """

    def __init__(self, reader: CancelReader, ordered: Callable[[Sequence[CancelOrder]], None]) -> None:
        super().__init__(0.0)
        self._reader = reader
        self._ordered = ordered

    async def run_once(self) -> int:
        """Wait for cancels once; it counts for nothing."""
        self._ordered(await self._reader.read())
        return 0
