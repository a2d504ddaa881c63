"""What one may do with one job; `Job` has the same verbs."""

from __future__ import annotations

from datetime import timedelta

from ..codec import encode_json
from ..errors import JobNotFound
from ..job import JobState, Json
from ..options import seconds
from ..waiting import JobEnds
from .family import Family


class Steering(Family):
    """The verbs on one job, by its id."""

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        super().__init__(name, url, prefix=prefix)
        self._ends: JobEnds | None = None

    async def get_state(self, job_id: str) -> JobState:
        """Where a job is. Raises JobNotFound."""
        state, _ = await self._store.state(job_id)
        if state == "missing":
            raise JobNotFound(f"no job {job_id} in queue {self._name}", job_id)
        return JobState(state)

    async def retry(self, job_id: str) -> None:
        """Let a completed or failed job run again. Raises JobNotFound, JobNotInState."""
        self._check(await self._store.retry(job_id), job_id, "completed or failed")

    async def promote(self, job_id: str) -> None:
        """Let a delayed job run now. Raises JobNotFound, JobNotInState."""
        self._check(await self._store.promote(job_id), job_id, "delayed")

    async def remove(self, job_id: str, *, children: bool = True) -> None:
        """Remove a job, and its children unless told otherwise.

        Raises:
            JobNotFound: there is no such job.
            JobLocked: a worker is running it or one of its children; nothing is removed.
            JobNotInState: it is a scheduler's next job.
        """
        self._check(
            await self._store.remove(job_id, children, self.prefix),
            job_id,
            "free: it is the next job of its scheduler",
        )

    async def update_progress(self, job_id: str, progress: Json) -> None:
        """Tell how far a job has come. Raises JobNotFound, InvalidPayload."""
        self._check(await self._store.progress(job_id, encode_json(progress, "progress")), job_id, "")

    async def log(self, job_id: str, line: str) -> int:
        """Add a line to a job's log and return how many there are."""
        return await self._store.log(job_id, line)

    async def wait(self, job_id: str, timeout: float | timedelta | None = None) -> Json:
        """Wait for a job's end and return its result; see `Job.wait`."""
        if self._ends is None:
            self._ends = JobEnds(self._store)
        if timeout is not None:
            seconds(timeout, "timeout")
        return await self._ends.wait(job_id, timeout)

    async def close(self) -> None:
        """Stop waiting for jobs, and close. May be called more than once."""
        if self._ends is not None:
            await self._ends.close()
        await super().close()
