"""Makes the jobs that schedulers have lost."""

from __future__ import annotations

import logging

from ..storage.schedulers import SchedulerStore
from .base import Service

logger = logging.getLogger("toril")

PAGES = 20
"""How many pages of schedulers one pass looks at; the next pass goes on behind them."""


class SchedulerService(Service):
    """Looks for schedulers whose newest job neither waits nor runs: one look an interval of all workers.

    Args:
        store: The scripts.
        interval: Seconds between two looks.
    """

    def __init__(self, store: SchedulerStore, interval: float) -> None:
        super().__init__(interval)
        self._store = store
        self._start = 0

    async def run_once(self) -> int:
        """Look at schedulers, those that are due first, and make the jobs that they have lost."""
        count = 0
        for _ in range(PAGES):
            healed, self._start = await self._store.heal(self._start, round(self._interval * 1000))
            for scheduler_id in healed:
                logger.warning("scheduler %s had lost its next job; made anew", scheduler_id)
            count += len(healed)
            if self._start == 0:
                break
        return count
