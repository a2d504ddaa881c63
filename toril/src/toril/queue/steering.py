"""What one may do with one job; `Job` has the same verbs."""

from __future__ import annotations

from datetime import timedelta

from ..codec import encode_json
from ..errors import JobNotFound
from ..failure import readable
from ..job import JobState, Json
from ..options import MAX_PRIORITY, milliseconds, seconds, valid_text, whole
from ..waiting import JobEnds
from .cancelling import Cancelling
from .family import Family


class Steering(Family, Cancelling):
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

    async def retry(self, job_id: str, *, reset_attempts: bool = True) -> None:
        """Let a completed or failed job run again, with all its attempts unless told otherwise.

        Raises:
            JobNotFound: there is no such job.
            JobNotInState: it is neither completed nor failed.
        """
        self._check(await self._store.retry(job_id, reset_attempts), job_id, "completed or failed")

    async def change_delay(self, job_id: str, delay: float | timedelta) -> None:
        """Let a delayed job be due in `delay` seconds. Raises JobNotFound, JobNotInState, InvalidOption."""
        self._check(await self._store.change_delay(job_id, milliseconds(delay, "delay")), job_id, "delayed")

    async def change_priority(self, job_id: str, priority: int, *, lifo: bool = False) -> None:
        """Change a job's priority, and its place if it waits; `lifo` puts it before those of the same.

        Raises:
            JobNotFound: there is no such job.
            InvalidOption: the priority is not from 0 to 2,097,151.
        """
        checked = whole(priority, "priority", 0, MAX_PRIORITY)
        self._check(await self._store.change_priority(job_id, checked, lifo), job_id, "")

    async def update_data(self, job_id: str, data: Json) -> None:
        """Put other data into a job. Raises JobNotFound, InvalidPayload."""
        text = encode_json(data, f"data of job {job_id}")
        self._check(await self._store.update_data(job_id, text), job_id, "")

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

    async def log(self, job_id: str, line: str, *, keep: int | None = None) -> int:
        """Add a line to a job's log, of which the newest `keep` stay; returns how many there are.

        What UTF-8 cannot say (lone surrogates) is written as its escape, `\\ud800`.

        Raises:
            JobNotFound: there is no such job.
        """
        count = await self._store.log(job_id, readable(line), keep)
        self._check(min(count, 0), job_id, "")
        return count

    async def get_logs(self, job_id: str, start: int = 0, end: int = -1) -> list[str]:
        """Read a job's log lines, the oldest first; -1 is the newest."""
        return await self._store.logs(job_id, start, end)

    async def clear_logs(self, job_id: str, *, keep: int = 0) -> None:
        """Remove a job's log lines but the newest `keep`. Raises InvalidOption."""
        await self._store.clear_logs(job_id, whole(keep, "keep", 0, 2**31))

    async def release_deduplication(self, job_id: str, key: str) -> bool:
        """Free a deduplication key if this job holds it; returns whether it did."""
        return await self._store.release_deduplication(key, job_id)

    async def wait(self, job_id: str, timeout: float | timedelta | None = None) -> Json:
        """Wait for a job's end and return its result; see `Job.wait`."""
        valid_text(job_id, "job_id")
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
