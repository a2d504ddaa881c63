"""Assertions on what was enqueued, the same in all modes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta

from ..record import Job
from .matching import Named, Wanted, show


class Enqueued(ABC):
    """What tests ask of the jobs that were enqueued."""

    @abstractmethod
    async def _jobs(self) -> list[Job]:
        """All jobs that were enqueued, the oldest first."""

    async def all_enqueued(
        self,
        job: Named | None = None,
        *,
        queue: str | None = None,
        delay: float | timedelta | None = None,
        delay_tolerance: float = 1.0,
        priority: int | None = None,
        **payload: object,
    ) -> list[Job]:
        """Return the jobs that match, the oldest first.

        Args:
            job: A declared job or a name; None for any.
            queue: The queue's name.
            delay: Seconds that they were added to wait, give or take `delay_tolerance`.
            priority: Their priority.
            payload: What their payload contains: parameters of a declared job as the handler has them,
                else keys as the wire has them. Objects may have more keys than are asked for.

        Raises:
            InvalidOption: the declared job has no such parameter.
        """
        wanted = Wanted.of(job, queue, delay, delay_tolerance, priority, payload)
        return [each for each in await self._jobs() if wanted.against(each) is None]

    async def assert_enqueued(
        self,
        job: Named | None = None,
        *,
        queue: str | None = None,
        delay: float | timedelta | None = None,
        delay_tolerance: float = 1.0,
        priority: int | None = None,
        **payload: object,
    ) -> Job:
        """Return the newest job that matches, see `all_enqueued`.

        Raises:
            AssertionError: there is none; the message lists what there is, and how it differs.
        """
        wanted = Wanted.of(job, queue, delay, delay_tolerance, priority, payload)
        jobs = await self._jobs()
        found = [each for each in jobs if wanted.against(each) is None]
        if not found:
            raise AssertionError(f"no job is enqueued as wanted: {wanted}\n{show(jobs, wanted)}")
        return found[-1]

    async def refute_enqueued(
        self,
        job: Named | None = None,
        *,
        queue: str | None = None,
        delay: float | timedelta | None = None,
        delay_tolerance: float = 1.0,
        priority: int | None = None,
        **payload: object,
    ) -> None:
        """See that no job matches, see `all_enqueued`.

        Raises:
            AssertionError: there is one; the message lists all that match.
        """
        wanted = Wanted.of(job, queue, delay, delay_tolerance, priority, payload)
        found = [each for each in await self._jobs() if wanted.against(each) is None]
        if found:
            raise AssertionError(f"no job was to be enqueued: {wanted}\n{show(found)}")
