"""The job schedulers of a queue."""

from __future__ import annotations

from typing import Unpack

from ..errors import InvalidOption
from ..job import JobKeywords, Json, NewJob
from ..options import valid_text
from ..record import Job
from ..schedule import Scheduler, When
from ..storage.schedulers import SchedulerStore
from .producing import Producing


class Scheduling(Producing):
    """The verbs on job schedulers."""

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        super().__init__(name, url, prefix=prefix)
        self.schedulers = SchedulerStore(self._store.connection, self._store.keys)

    async def upsert_job_scheduler(
        self, scheduler_id: str, when: When, name: str, data: Json = None, **options: Unpack[JobKeywords]
    ) -> bool:
        """Make or change a job scheduler; returns whether anything changed.

        Many processes may declare the same one at once: an unchanged one is left as it is, ended or
        not. A changed one counts its `limit` anew; its next job is made anew, at the same time if that
        is due already or the times have not changed. One that has no run left is removed.

        Args:
            scheduler_id: Its id in this queue.
            when: A `Cron` or an `Every`.
            name, data, options: The job that it adds each time; delay, id and deduplication are
                not used.

        Raises:
            InvalidOption: the id is empty, or an option is wrong.
            InvalidPayload: the data cannot be written as JSON.
        """
        valid_text(scheduler_id, "a scheduler's id")
        return await self.schedulers.upsert(scheduler_id, when, NewJob(name, data, **options))

    async def remove_job_scheduler(self, scheduler_id: str) -> bool:
        """Remove a job scheduler and its next job; returns whether there was one."""
        return await self.schedulers.remove(scheduler_id)

    async def get_job_scheduler(self, scheduler_id: str) -> Scheduler | None:
        """Read one job scheduler, or None if there is none of this id."""
        return await self.schedulers.get(scheduler_id)

    async def get_job_schedulers(
        self, start: int = 0, end: int = -1, *, ascending: bool = True
    ) -> list[Scheduler]:
        """Read job schedulers, in one round trip for each 500.

        Args:
            start, end: The first and last index, from 0, both read; -1 is the last of all.
            ascending: The next to run first; else the last one.

        Raises:
            InvalidOption: the page is wrong.
        """
        if start < 0 or (end != -1 and end < start):
            raise InvalidOption(
                f"a page goes from 0 or more to as much or more, or to -1, not {start} to {end}"
            )
        return await self.schedulers.page(start, end, ascending)

    async def run_job_scheduler(self, scheduler_id: str) -> Job | None:
        """Add a job as a scheduler makes it, to run now; its own times stay as they are.

        Returns None if there is no scheduler of this id.
        """
        found = await self.get_job_scheduler(scheduler_id)
        if found is None:
            return None
        (job,) = await self.add_many([NewJob.with_options(found.name, found.data, found.options)])
        return job

    async def get_job_schedulers_count(self) -> int:
        """How many job schedulers there are."""
        return await self.schedulers.count()
