"""The job schedulers of a queue."""

from __future__ import annotations

from typing import Unpack

from ..errors import InvalidOption
from ..job import JobKeywords, Json, NewJob
from ..schedule import Scheduler, When
from ..storage.schedulers import SchedulerStore
from .base import QueueBase


class Scheduling(QueueBase):
    """The verbs on job schedulers."""

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        super().__init__(name, url, prefix=prefix)
        self.schedulers = SchedulerStore(self._store.connection, self._store.keys)

    async def upsert_job_scheduler(
        self, scheduler_id: str, when: When, name: str, data: Json = None, **options: Unpack[JobKeywords]
    ) -> bool:
        """Make or change a job scheduler; returns whether anything changed.

        Many processes may declare the same one at once: an unchanged one is left as it is.

        Args:
            scheduler_id: Its id in this queue.
            when: A `Cron` or an `Every`.
            name, data, options: The job that it adds each time; delay, id and deduplication are
                not used.

        Raises:
            InvalidOption: the id is empty, or an option is wrong.
            InvalidPayload: the data cannot be written as JSON.
        """
        if not isinstance(scheduler_id, str) or not scheduler_id:
            raise InvalidOption("a scheduler's id must be a non-empty text")
        return await self.schedulers.upsert(scheduler_id, when, NewJob(name, data, **options))

    async def remove_job_scheduler(self, scheduler_id: str) -> bool:
        """Remove a job scheduler and its next job; returns whether there was one."""
        return await self.schedulers.remove(scheduler_id)

    async def get_job_schedulers(self) -> list[Scheduler]:
        """Read all job schedulers, the next to run first."""
        return await self.schedulers.all()
