"""Removes finished jobs that have become too old, on a queue where none ends any more."""

from __future__ import annotations

from ..storage.work import WorkStore
from .base import Service


class RetentionService(Service):
    """Keeps the age limit of finished jobs (`Keep(age=…)`) while a queue is idle.

    When a job ends, its own limit is applied to all that ended as it did; this goes by the last such
    limit. Every worker may run it: what one has removed, the others do not find.

    Args:
        store: The scripts.
        interval: Seconds between two passes.
    """

    def __init__(self, store: WorkStore, interval: float) -> None:
        super().__init__(interval)
        self._store = store

    async def run_once(self) -> int:
        """Remove what is too old; returns how many jobs."""
        total = 0
        while removed := await self._store.retain_finished():
            total += removed
        return total
