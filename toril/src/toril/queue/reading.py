"""Looking at a queue and its jobs."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidOption
from ..job import JobState
from ..options import MAX_PRIORITY, whole
from ..record import Job
from .steering import Steering

KEY_OF_STATE = {
    JobState.WAITING: "wait",
    JobState.ACTIVE: "active",
    JobState.DELAYED: "delayed",
    JobState.PRIORITIZED: "prioritized",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.WAITING_CHILDREN: "waiting_children",
}

MOST_JOBS, MOST_IDS = 1000, 10_000
"""How many one page may have, so that no call holds the server for long."""


def _page_of(state: JobState | str, start: int, end: int, most: int) -> str:
    """The name of the state's key, if such a page of it can be read."""
    try:
        key = KEY_OF_STATE[JobState(state)]
    except (KeyError, ValueError):
        raise InvalidOption(f"no jobs can be listed by state {str(state)!r}") from None
    if not 0 <= start <= end or end - start >= most:
        raise InvalidOption(f"a page goes from 0 or more over at most {most:,} jobs, not {start} to {end}")
    return key


class Reading(Steering):
    """The verbs that look, and change nothing."""

    async def get_job(self, job_id: str) -> Job | None:
        """Read one job, or None if there is none of this id."""
        fields = await self._store.read(job_id)
        return Job(self, job_id, fields) if fields else None

    async def get_jobs(
        self, state: JobState | str, start: int = 0, end: int = 49, *, ascending: bool = False
    ) -> list[Job]:
        """Read a page of jobs of one state.

        Args:
            state: Any state but `unknown`.
            start, end: The first and last index, from 0, both read; 1,000 jobs at the most.
            ascending: Oldest (or next to run) first; else newest first.

        Raises:
            InvalidOption: the state or the page is wrong.
        """
        key = _page_of(state, start, end, MOST_JOBS)
        return [
            Job(self, job_id, fields) for job_id, fields in await self._bulk.page(key, start, end, ascending)
        ]

    async def get_job_ids(
        self, state: JobState | str, start: int = 0, end: int = 9999, *, ascending: bool = False
    ) -> list[str]:
        """Read the ids alone of a page of jobs of one state: 10,000 at the most; else as `get_jobs`.

        Raises:
            InvalidOption: the state or the page is wrong.
        """
        return await self._bulk.ids(_page_of(state, start, end, MOST_IDS), start, end, ascending)

    async def get_job_counts(self) -> dict[str, int]:
        """Count the jobs of each state, at one instant.

        A paused queue's jobs are `waiting`, as in BullMQ 6; `paused` counts what an older one left.
        """
        return await self._bulk.counts()

    async def exists(self) -> bool:
        """Whether the server knows such a queue: jobs or schedulers were added to it, or it has settings."""
        return await self._bulk.exists()

    async def get_meta(self) -> dict[str, str]:
        """Read the queue's own settings as BullMQ keeps them: `paused`, `concurrency`, `max`, …"""
        return await self._bulk.meta()

    async def count(self) -> int:
        """How many jobs are yet to be run: waiting, prioritized, delayed, or waiting for children."""
        counts = await self._bulk.counts()
        return sum(
            counts[state] for state in ("waiting", "paused", "delayed", "prioritized", "waiting-children")
        )

    async def get_counts_per_priority(self, priorities: Sequence[int]) -> dict[int, int]:
        """Count the jobs that wait with each of some priorities, 0 for none. Raises InvalidOption."""
        return await self._bulk.priorities([whole(each, "priority", 0, MAX_PRIORITY) for each in priorities])

    async def get_deduplication_job_id(self, key: str) -> str | None:
        """The id of the job that further adds with this deduplication key are taken for."""
        return await self._store.deduplication_holder(key)
