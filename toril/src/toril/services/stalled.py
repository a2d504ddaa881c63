"""Gives back the jobs of workers that have died."""

from __future__ import annotations

import logging

from ..storage.work import WorkStore
from .base import Service

logger = logging.getLogger("toril")


class StalledService(Service):
    """BullMQ's stalled check, shared with Node workers: one check an interval among all of them.

    Args:
        store: The scripts.
        interval: Seconds between two checks.
        max_stalled: How often a job may stall before it fails.
    """

    def __init__(self, store: WorkStore, interval: float, max_stalled: int) -> None:
        super().__init__(interval)
        self._store = store
        self._max_stalled = max_stalled
        self.recovered = 0
        """How many jobs it has given back."""

    async def run_once(self) -> int:
        """Mark running jobs, and give back those marked before that have no lock."""
        given_back = await self._store.recover_stalled(self._max_stalled, round(self._interval * 1000))
        for job_id in given_back:
            logger.warning("job %s stalled: its worker has died or lost it", job_id)
        self.recovered += len(given_back)
        return len(given_back)
