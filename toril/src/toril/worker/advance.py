"""Makes a scheduler's next job when its present one has been taken, before that one is run."""

from __future__ import annotations

import asyncio
import logging

from ..errors import ConnectionFailed, ServerRefused
from ..outcome import PARKED, Snooze
from ..record import Job
from ..storage.schedulers import Advance, SchedulerStore

logger = logging.getLogger("toril")

MAX_PAUSE = 2.0
"""Seconds between two tries at the most while the server cannot be reached."""


class Advancer:
    """Advances the schedulers of one queue.

    Args:
        store: The scripts.
    """

    def __init__(self, store: SchedulerStore) -> None:
        self._store = store

    async def advance(self, job: Job, scheduler_id: str, token: str) -> bool:
        """Make the job after this one; False if this one is left out, being too late, and gone.

        No schedule ends for want of one answer: it is tried until the server gives one.

        Raises:
            Snooze: only a worker of the scheduler's maker can tell when the next run is.
        """
        pause, tried = 0.05, False
        while True:
            try:
                done = await self._store.advance(scheduler_id, job.id, token)
                if tried and not await self._store.stands(job.id):
                    # The answer that was lost had said so.
                    done = Advance.LEFT_OUT
                break
            except (ConnectionFailed, ServerRefused) as error:
                logger.warning("scheduler %s cannot go on: %s; trying again", scheduler_id, error)
                await asyncio.sleep(pause)
                pause, tried = min(pause * 2, MAX_PAUSE), True
        if done is Advance.UNREADABLE:
            logger.error(
                "scheduler %s cannot be read here; job %s is parked for a worker that can",
                scheduler_id,
                job.id,
            )
            raise Snooze(PARKED, f"scheduler {scheduler_id!r} cannot be read here")
        if done is Advance.LEFT_OUT:
            logger.info("job %s: its time has passed, so it is left out", job.id)
        return done is Advance.DONE
