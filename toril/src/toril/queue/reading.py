"""Looking at a queue and its jobs."""

from __future__ import annotations

from ..errors import InvalidOption
from ..job import JobState
from ..record import Job
from .steering import Steering

_KEY_OF_STATE = {
    JobState.WAITING: "wait",
    JobState.ACTIVE: "active",
    JobState.DELAYED: "delayed",
    JobState.PRIORITIZED: "prioritized",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.WAITING_CHILDREN: "waiting_children",
}


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
        try:
            key = _KEY_OF_STATE[JobState(state)]
        except (KeyError, ValueError):
            raise InvalidOption(f"no jobs can be listed by state {str(state)!r}") from None
        if not 0 <= start <= end or end - start >= 1000:
            raise InvalidOption(f"a page goes from 0 or more over at most 1,000 jobs, not {start} to {end}")
        return [
            Job(self, job_id, fields) for job_id, fields in await self._store.page(key, start, end, ascending)
        ]

    async def get_job_counts(self) -> dict[str, int]:
        """Count the jobs of each state. A paused queue's jobs are `waiting`, as in BullMQ 6."""
        return await self._store.counts()
