"""What one may do with a whole queue."""

from __future__ import annotations

from datetime import timedelta

from ..errors import InvalidOption, QueueActive, QueueNotPaused
from ..job import JobState
from ..options import milliseconds, whole
from .base import QueueBase
from .reading import KEY_OF_STATE

CHUNK = 1000
"""How many jobs one script call moves or looks at."""


class Control(QueueBase):
    """The verbs on all jobs of a queue at once."""

    async def pause(self) -> None:
        """Let no worker start further jobs of this queue."""
        await self._bulk.set_paused(True)

    async def resume(self) -> None:
        """Let workers go on."""
        await self._bulk.set_paused(False)

    async def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return await self._bulk.is_paused()

    async def drain(self, *, delayed: bool = False) -> int:
        """Remove all waiting jobs, and delayed ones when asked; returns how many."""
        total = 0
        while removed := await self._bulk.drain(delayed):
            total += removed
        return total

    async def obliterate(self, *, force: bool = False) -> None:
        """Remove the paused queue with all that belongs to it.

        Raises:
            QueueNotPaused: pause it first.
            QueueActive: jobs are running, and `force` is not set.
        """
        while (code := await self._bulk.obliterate(force)) == 1:
            pass
        if code == -1:
            raise QueueNotPaused(f"queue {self._name} must be paused before it is obliterated")
        if code == -2:
            raise QueueActive(f"queue {self._name} has running jobs; force=True removes them too")
        await self._bulk.drop_throttles()

    async def retry_jobs(
        self,
        state: JobState | str = JobState.FAILED,
        *,
        limit: int | None = None,
        reset_attempts: bool = True,
    ) -> int:
        """Let finished jobs run again, the oldest first; returns how many.

        Args:
            state: `failed` or `completed`.
            limit: How many at the most; None for all that have ended by now.
            reset_attempts: Give them all their attempts again.

        Raises:
            InvalidOption: the state is another one, or the limit is less than 1.
        """
        if state not in {JobState.FAILED, JobState.COMPLETED}:
            raise InvalidOption(f"only failed and completed jobs can be retried, not {str(state)!r}")
        left = whole(limit, "limit", 1, 2**53) if limit is not None else None
        total, before = 0, None
        while left is None or total < left:
            chunk = CHUNK if left is None else min(CHUNK, left - total)
            moved, before = await self._bulk.retry(str(state), chunk, before, reset_attempts)
            total += moved
            if moved < chunk:
                break
        return total

    async def promote_jobs(self, *, limit: int | None = None) -> int:
        """Let delayed jobs run now, the next due first; returns how many. Raises InvalidOption."""
        left = (
            whole(limit, "limit", 1, 2**53) if limit is not None else (await self._bulk.counts())["delayed"]
        )
        total = 0
        while total < left and (moved := await self._bulk.promote(min(CHUNK, left - total))):
            total += moved
        return total

    async def clean(
        self, state: JobState | str, *, age: float | timedelta = 0.0, limit: int | None = None
    ) -> list[str]:
        """Remove jobs of one state that are old enough; returns their ids.

        A job's age counts from its end, else from its last run's begin, else from its adding. Jobs
        that a worker is running stay, and so do the next jobs of schedulers.

        Args:
            state: Any state but `unknown` and `waiting-children`.
            age: Seconds.
            limit: How many at the most; None for all.

        Raises:
            InvalidOption: one of them is wrong.
        """
        if state == JobState.WAITING_CHILDREN or state not in KEY_OF_STATE:
            raise InvalidOption(f"jobs of state {str(state)!r} cannot be cleaned")
        left = whole(limit, "limit", 1, 2**53) if limit is not None else 2**53
        age_ms = milliseconds(age, "age")
        gone: list[str] = []
        skip = 0
        while skip >= 0 and len(gone) < left:
            key = KEY_OF_STATE[JobState(state)]
            most = left - len(gone)
            removed, skip = await self._bulk.clean(key, age_ms, min(CHUNK, max(100, most)), skip, most)
            gone += removed
        return gone

    async def remove_deduplication_key(self, key: str) -> bool:
        """Let the next add with this key be no duplicate; returns whether there was such a key."""
        return await self._store.release_deduplication(key)
