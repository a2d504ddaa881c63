"""Manual mode: jobs go to a real server and wait there until the test drains them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ..app import Toril
from ..errors import ConnectionFailed, InvalidOption, JobFailed, JobNotFound, JobNotInState, UnknownJob
from ..events import Event, Failed, event_of
from ..job import JobState
from ..options import seconds
from ..queue import Queue
from ..record import Job
from ..storage.discovery import queue_names
from ..storage.events import Cursor, EventStore
from ..worker import Worker
from .enqueued import Enqueued
from .matching import show

_WAITING = (JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED, JobState.WAITING_CHILDREN)
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Drained:
    """What a `drain` has done.

    Attributes:
        completed: How many jobs have completed.
        failed: How many have failed for good.
        cancelled: How many of these were cancelled, going by the reason.
        retried: How many runs have ended so that the job runs again: by a retry, a snooze, or to wait
            for children.
        left: How many jobs may run but do not, for their queue is paused or limited, or has no
            declared job.
        delayed: How many wait for a time.
        failures: The reason of each job that has failed, by its queue and id.
        events: What has happened on each queue, by its name.
    """

    completed: int
    failed: int
    cancelled: int
    retried: int
    left: int
    delayed: int
    failures: dict[tuple[str, str], str]
    events: dict[str, list[Event]]


class Manual(Enqueued):
    """The jobs of an application on a real server. Made by `manual`."""

    def __init__(self, app: Toril) -> None:
        self.app = app

    async def _queues(self) -> list[Queue]:
        declared = {each.queue for each in self.app.definitions}
        found = await queue_names(self.app.url, self.app.prefix)
        return [self.app.queue(name) for name in sorted(declared.union(found))]

    async def _jobs(self) -> list[Job]:
        jobs = [job for queue in await self._queues() for job in await _waiting_in(queue)]
        return sorted(
            jobs,
            key=lambda job: (job.timestamp is None, job.timestamp, int(job.id) if job.id.isdigit() else 0),
        )

    async def drain(
        self,
        queues: Sequence[str] | None = None,
        *,
        with_delayed: bool = False,
        raise_failures: bool = False,
        concurrency: int = 1,
        timeout: float | timedelta = 30.0,
    ) -> Drained:
        """Run all that may run now, and what that enqueues in turn, until nothing is left.

        Real workers do it, in this event loop. Each runs one job at a time, the oldest first, unless
        told otherwise. Declared schedules are not put on the server (`app.apply_schedules()` does).

        Args:
            queues: The queues' names; all in which jobs are declared if None.
            with_delayed: Whether delayed jobs run too, whenever they are due, and retries after their
                backoff; but not the next jobs of schedulers, which never end: see `clock`.
            raise_failures: Whether a job that has failed for good raises `JobFailed`, at the end.
            concurrency: How many jobs of a queue run at once.
            timeout: Seconds until it gives up.

        Raises:
            UnknownJob: a queue has no declared job.
            TimeoutError: there was no end; the message lists what waits and what runs.
            JobFailed: see `raise_failures`.
        """
        known = sorted({each.queue for each in self.app.definitions})
        names = known if queues is None else list(queues)
        for name in names:
            if name not in known:
                raise UnknownJob(f"no job is declared for queue {name!r}; known: {', '.join(known)}")
        limit = seconds(timeout, "timeout")
        begins = {name: await _stream(self.app.queue(name)).end() for name in names}
        workers = [self.app.make_worker(name, concurrency, drain_timeout=1.0) for name in names]
        async with _running(workers) as tasks:
            looking = asyncio.create_task(self._until_nothing_is_left(workers, with_delayed))
            done, _ = await asyncio.wait(
                {looking, *tasks}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                message = await self._what_is_left(workers, limit)
            looking.cancel()
            await asyncio.wait([looking])
            for task in done:
                task.result()
        if not done:
            raise TimeoutError(message)
        events = {name: await _events(self.app.queue(name), begins[name]) for name in names}
        failures = {
            (name, event.job_id): event.failed_reason
            for name, found in events.items()
            for event in found
            if isinstance(event, Failed)
        }
        if raise_failures and failures:
            (name, job_id), reason = next(iter(failures.items()))
            raise JobFailed(f"{len(failures)} failed; the first was job {job_id} of {name}: {reason}", job_id)
        counts = [await self.app.queue(name).get_job_counts() for name in names]
        return Drained(
            completed=sum(worker.completed for worker in workers),
            failed=sum(worker.failed for worker in workers),
            cancelled=sum(
                reason == "cancelled" or reason.startswith("cancelled: ") for reason in failures.values()
            ),
            retried=sum(worker.retried for worker in workers),
            left=sum(each["waiting"] + each["prioritized"] for each in counts),
            delayed=sum(each["delayed"] for each in counts),
            failures=failures,
            events=events,
        )

    async def _until_nothing_is_left(self, workers: Sequence[Worker], with_delayed: bool) -> None:
        for worker in workers:
            await worker.ready.wait()
        begun = -1
        while begun != (begun := sum(worker.begun for worker in workers)) or (
            with_delayed and await self._promote(workers)
        ):
            # A job may have enqueued another in any of the queues: all are looked at again.
            for worker in workers:
                await worker.look()

    async def _promote(self, workers: Sequence[Worker]) -> int:
        promoted = 0
        for worker in workers:
            for job in await _page(self.app.queue(worker.queue.name), JobState.DELAYED):
                if job.scheduler_id is None:
                    with contextlib.suppress(JobNotFound, JobNotInState):  # due meanwhile
                        await job.promote()
                        promoted += 1
        return promoted

    async def _what_is_left(self, workers: Sequence[Worker], limit: float) -> str:
        active = [
            job
            for worker in workers
            for job in await _page(self.app.queue(worker.queue.name), JobState.ACTIVE)
        ]
        jobs = await self._jobs()
        running = f"running:\n{show(active)}\n" if active else ""
        return f"the queues were not drained within {limit:g} s\n{running}waiting:\n{show(jobs)}"


@contextlib.asynccontextmanager
async def _running(workers: Sequence[Worker]) -> AsyncIterator[set[asyncio.Task[None]]]:
    tasks = {asyncio.create_task(worker.run(handle_signals=False)) for worker in workers}
    try:
        yield tasks
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks, return_exceptions=True)


def _stream(queue: Queue) -> EventStore:
    return EventStore(queue.store.connection, queue.store.keys)


async def _events(queue: Queue, begin: Cursor) -> list[Event]:
    found: list[Event] = []
    cursor = begin
    while (batch := await _stream(queue).read(cursor, _PAGE)).entries:
        cursor = batch.cursor
        found += [event_of(entry.fields, entry.cursor.id) for entry in batch.entries]
    return found


async def _waiting_in(queue: Queue) -> list[Job]:
    return [job for state in _WAITING for job in await _page(queue, state)]


async def _page(queue: Queue, state: JobState) -> list[Job]:
    found: list[Job] = []
    while page := await queue.get_jobs(state, len(found), len(found) + _PAGE - 1, ascending=True):
        found += page
        if len(page) < _PAGE:
            break
    return found


@contextlib.asynccontextmanager
async def manual(app: Toril, *, url: str | None = None, prefix: str | None = None) -> AsyncIterator[Manual]:
    """Let jobs of the application wait on a real server until `drain`, while the block runs.

    `async with toril.testing.manual(app, url=url) as jobs: ...; await jobs.drain()`

    The application uses a prefix of its own meanwhile, so that tests do not meet; what is there is
    removed at the end.

    Args:
        app: The application. All tasks that use it are in this mode meanwhile.
        url: Another server than the application's own.
        prefix: What all keys begin with; given one, nothing is removed at the end.

    Raises:
        InvalidOption: what is given is no application.
        ConnectionFailed: the server cannot be reached.
    """
    if not isinstance(app, Toril):
        raise InvalidOption(f"manual needs a Toril application, not {type(app).__name__}")
    own = f"test-{uuid.uuid4().hex[:12]}"
    with app.redirected(url, prefix=prefix or own):
        mode = Manual(app)
        try:
            yield mode
        finally:
            try:
                if prefix is None:
                    await _remove_all(app)
            finally:
                await app.close()


async def _remove_all(app: Toril) -> None:
    with contextlib.suppress(ConnectionFailed):  # the test has ended its server: nothing is left
        for name in await queue_names(app.url, app.prefix):
            queue = app.queue(name)
            await queue.pause()
            await queue.obliterate(force=True)
