"""Queue: produce, inspect, control."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self, Unpack

from .codec import AddArguments, add_arguments, encode_json
from .errors import InvalidOption, JobLocked, JobNotFound, JobNotInState, QueueActive, QueueNotPaused
from .job import JobKeywords, JobState, Json, NewJob
from .options import seconds
from .record import Job
from .schedule import Scheduler, When
from .storage.address import Address, server_url
from .storage.connection import Connection
from .storage.jobs import LOCKED, MISSING, Added, JobStore
from .storage.keys import Keys
from .storage.schedulers import SchedulerStore
from .waiting import JobEnds

CHUNK = 500
"""How many jobs one script call adds at the most, so that no call holds the server for long."""

_KEY_OF_STATE = {
    JobState.WAITING: "wait",
    JobState.ACTIVE: "active",
    JobState.DELAYED: "delayed",
    JobState.PRIORITIZED: "prioritized",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.WAITING_CHILDREN: "waiting_children",
}

_Pending = tuple[AddArguments, "asyncio.Future[tuple[Added, int]]"]


class Queue:
    """A queue of jobs, for those who add, look at and steer them.

    Args:
        name: The queue's name, without `:`.
        url: The server; by default the environment's TORIL_URL, else `valkey://127.0.0.1:6379/0`.
        prefix: What all keys begin with, as BullMQ's `prefix`.

    Raises:
        InvalidOption: name, URL or prefix are wrong.

    Every method that talks to the server raises `ConnectionFailed` when it cannot be reached and
    `ServerRefused` when it answers with an error.
    """

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        self._name = name
        self.url = server_url(url)
        self.prefix = prefix
        keys = Keys(name, prefix)
        self._store = JobStore(Connection(Address.of(self.url)), keys)
        self.schedulers = SchedulerStore(self._store.connection, keys)
        self._pending: list[_Pending] = []
        self._flushes: set[asyncio.Task[None]] = set()
        self._ends: JobEnds | None = None

    @property
    def name(self) -> str:
        """The queue's name."""
        return self._name

    @property
    def store(self) -> JobStore:
        """The queue's scripts; for toril's own modules."""
        return self._store

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def add(self, name: str, data: Json = None, **options: Unpack[JobKeywords]) -> Job:
        """Add a job.

        Calls made in one turn of the event loop travel in one script call. `job.created` tells
        whether this call made the job, or which earlier one it is.

        Raises:
            InvalidOption: the name or an option is wrong.
            InvalidPayload: the data cannot be written as JSON.
        """
        arguments = add_arguments(NewJob(name, data, **options))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[Added, int]] = loop.create_future()
        if not self._pending:
            loop.call_soon(self._start_flush)
        self._pending.append((arguments, future))
        added, now = await future
        return self._made(arguments, added, now)

    def _start_flush(self) -> None:
        pending, self._pending = self._pending, []
        for start in range(0, len(pending), CHUNK):
            task = asyncio.create_task(self._flush(pending[start : start + CHUNK]))
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    async def _flush(self, batch: Sequence[_Pending]) -> None:
        try:
            added, now = await self._store.add([arguments for arguments, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(batch, added, strict=True):
            if not future.done():
                future.set_result((result, now))

    async def add_many(self, jobs: Sequence[NewJob]) -> list[Job]:
        """Add many jobs, in order, one round trip for each 500; each such chunk is all or nothing.

        Raises:
            InvalidPayload: a job's data cannot be written as JSON; none is added.
        """
        arguments = [add_arguments(job) for job in jobs]
        chunks = [arguments[start : start + CHUNK] for start in range(0, len(arguments), CHUNK)]
        # Two calls under way keep the server busy while the next one is being written.
        made: list[Job] = []
        for pair in range(0, len(chunks), 2):
            replies = await asyncio.gather(*(self._store.add(chunk) for chunk in chunks[pair : pair + 2]))
            for chunk, (added, now) in zip(chunks[pair : pair + 2], replies, strict=True):
                made += [self._made(a, b, now) for a, b in zip(chunk, added, strict=True)]
        return made

    def _made(self, arguments: AddArguments, added: Added, now: int) -> Job:
        fields = {
            b"name": arguments[1].encode(),
            b"data": arguments[2].encode(),
            b"opts": arguments[3].encode(),
            b"timestamp": b"%d" % now,
            b"delay": b"%d" % arguments[4],
            b"priority": b"%d" % arguments[5],
        }
        return Job(self, added.job_id, fields, created=added.status == 0)

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

    async def get_state(self, job_id: str) -> JobState:
        """Where a job is. Raises JobNotFound."""
        state, _ = await self._store.state(job_id)
        if state == "missing":
            raise JobNotFound(f"no job {job_id} in queue {self._name}", job_id)
        return JobState(state)

    async def pause(self) -> None:
        """Let no worker start further jobs of this queue."""
        await self._store.set_paused(True)

    async def resume(self) -> None:
        """Let workers go on."""
        await self._store.set_paused(False)

    async def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return await self._store.is_paused()

    async def drain(self, *, delayed: bool = False) -> int:
        """Remove all waiting jobs, and delayed ones when asked; returns how many."""
        total = 0
        while removed := await self._store.drain(delayed):
            total += removed
        return total

    async def obliterate(self, *, force: bool = False) -> None:
        """Remove the paused queue with all that belongs to it.

        Raises:
            QueueNotPaused: pause it first.
            QueueActive: jobs are running, and `force` is not set.
        """
        while (code := await self._store.obliterate(force)) == 1:
            pass
        if code == -1:
            raise QueueNotPaused(f"queue {self._name} must be paused before it is obliterated")
        if code == -2:
            raise QueueActive(f"queue {self._name} has running jobs; force=True removes them too")

    async def retry(self, job_id: str) -> None:
        """Let a completed or failed job run again. Raises JobNotFound, JobNotInState."""
        self._check(await self._store.retry(job_id), job_id, "completed or failed")

    async def promote(self, job_id: str) -> None:
        """Let a delayed job run now. Raises JobNotFound, JobNotInState."""
        self._check(await self._store.promote(job_id), job_id, "delayed")

    async def remove(self, job_id: str) -> None:
        """Remove a job. Raises JobNotFound, JobLocked (running), JobNotInState (a scheduler's next job)."""
        self._check(await self._store.remove(job_id), job_id, "free: it is the next job of its scheduler")

    async def update_progress(self, job_id: str, progress: Json) -> None:
        """Tell how far a job has come. Raises JobNotFound, InvalidPayload."""
        self._check(await self._store.progress(job_id, encode_json(progress, "progress")), job_id, "")

    async def log(self, job_id: str, line: str) -> int:
        """Add a line to a job's log and return how many there are."""
        return await self._store.log(job_id, line)

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

    def _check(self, code: int, job_id: str, state: str) -> None:
        if code == MISSING:
            raise JobNotFound(f"no job {job_id} in queue {self._name}", job_id)
        if code == LOCKED:
            raise JobLocked(f"job {job_id} is being run by a worker", job_id)
        if code < 0:
            raise JobNotInState(f"job {job_id} is not {state}", job_id)

    async def wait(self, job_id: str, timeout: float | timedelta | None = None) -> Json:
        """Wait for a job's end and return its result; see `Job.wait`."""
        if self._ends is None:
            self._ends = JobEnds(self._store)
        if timeout is not None:
            seconds(timeout, "timeout")
        return await self._ends.wait(job_id, timeout)

    async def close(self) -> None:
        """Send what is still to be added, then close. May be called more than once."""
        if self._pending:
            self._start_flush()
        if self._flushes:
            await asyncio.wait(self._flushes)
        if self._ends is not None:
            await self._ends.close()
        await self._store.connection.close()
