"""Reads each queue's events from a kept cursor, and records what failed for good.

What events cannot tell (those trimmed unread, failures before the first look) is found in the failed set: on
the start and after a gap all of it is looked through, at intervals its newest part. A failure is one letter
however often it is found, so several recorders do no harm; a lock in PostgreSQL lets one work at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DataError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

import toril
from insightdesk.database import Database
from insightdesk.dead_letters import alerts, repository, service
from insightdesk.dead_letters.capture import Failure, from_event, from_job
from insightdesk.dead_letters.replaying import replayed_letter
from insightdesk.kit import clock

__all__ = ["QueueRecorder", "run_recorders"]

log = structlog.get_logger(__name__)

INTERVAL = 60.0
"""Seconds between two looks at the newest of the failed set."""

_FIRST_PAUSE = 0.5
_PAGE = 100
_BATCH = 200  # events of one transaction
_SAVE = 5.0  # seconds after which the cursor is saved though nothing failed
_STANDBY = 5.0  # seconds between two tries to become the one that works
# Any number that nothing else on the server takes.
_LOCK = 7_246_353_127
_UNSTORABLE = (DataError, ValueError, RecursionError)
_TROUBLE = (toril.ConnectionFailed, toril.ServerRefused, SQLAlchemyError, OSError, TimeoutError)


class QueueRecorder:
    """Records the failures of one queue.

    Args:
        database: where letters and the cursor are kept.
        name: the queue's.
        url: the job server.
    """

    def __init__(self, database: Database, name: str, url: str) -> None:
        self._database = database
        self._name = name
        self._url = url

    async def reconcile(self, queue: toril.Queue, *, whole: bool) -> int:
        """Record what the failed set has; returns how many letters were new.

        Args:
            queue: the queue.
            whole: look through all of it; else from the newest on, as long as a page has something new.
        """
        found = start = 0
        while True:
            jobs = await queue.get_jobs(toril.JobState.FAILED, start, start + _PAGE - 1)
            new = await self._record([failure for job in jobs if (failure := from_job(job)) is not None])
            found += new
            start += _PAGE
            if len(jobs) < _PAGE or not (new or whole):
                return found

    async def take(self, queue: toril.Queue, events: Sequence[toril.Event], cursor: str) -> int:
        """Record what events tell, and save how far was read; returns how many letters were new."""
        failed = [event for event in events if isinstance(event, toril.events.Failed)]
        jobs = await asyncio.gather(*(queue.get_job(event.job_id) for event in failed))
        failures = [from_event(self._name, event, job) for event, job in zip(failed, jobs, strict=True)]
        done = {letter_id for event in events if (letter_id := _replayed(event)) is not None}
        return await self._record(failures, done, cursor)

    async def _record(
        self, failures: Sequence[Failure], done: set[str] | None = None, cursor: str | None = None
    ) -> int:
        try:
            return await self._store(failures, done, cursor)
        except _UNSTORABLE:
            if not failures:
                raise
        # One of them is such that it cannot be kept; the others, and the cursor, shall not wait for it.
        stored = 0
        for failure in failures:
            try:
                stored += await self._store([failure])
            except _UNSTORABLE as error:
                log.error(
                    "a failure cannot be recorded",
                    queue=self._name,
                    job=failure.job_id,
                    error=_line(error),
                )
        await self._store([], done, cursor)
        return stored

    async def _store(
        self, failures: Sequence[Failure], done: set[str] | None = None, cursor: str | None = None
    ) -> int:
        now = clock.now()
        async with self._database.transaction() as session:
            made = await service.record(session, failures, now)
            await alerts.raise_alerts(session, made, now)
            if done:
                await service.resolve_replayed(session, done, now)
            if cursor is not None:
                await repository.save_cursor(session, self._name, cursor, now)
        for letter in made:
            log.error(
                "job failed for good",
                queue=letter.queue,
                job=letter.job_id,
                name=letter.name,
                error_class=letter.error_class,
                fingerprint=letter.fingerprint,
                attempts=letter.attempts,
                letter=letter.id,
            )
        return len(made)

    async def run(self) -> None:
        """Record until cancelled; goes on by itself after either server was gone."""
        pause = _FIRST_PAUSE
        while True:
            begun = time.monotonic()
            try:
                await self._follow()
            except _TROUBLE as error:
                log.warning("failures are not recorded", queue=self._name, error=_line(error), again_in=pause)
            if time.monotonic() - begun > INTERVAL:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)

    async def _follow(self) -> None:
        async with self._database.transaction() as session:
            since = await repository.cursor_of(session, self._name)
        async with (
            toril.Queue(self._name, self._url) as queue,
            toril.QueueEvents(self._name, self._url, since=since) as events,
        ):
            if since is None:
                await self._record([], cursor=await events.start())
            heard: asyncio.Queue[toril.Event] = asyncio.Queue(maxsize=5 * _BATCH)
            reading = asyncio.create_task(_pump(events, heard))
            try:
                await self.reconcile(queue, whole=True)
                await self._work(queue, heard, reading)
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def _work(
        self, queue: toril.Queue, heard: asyncio.Queue[toril.Event], reading: asyncio.Task[None]
    ) -> None:
        looked = saved = time.monotonic()
        cursor: str | None = None
        while True:
            batch: list[toril.Event] = []
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    batch.append(await heard.get())
            if reading.done():
                reading.result()
            while len(batch) < _BATCH and not heard.empty():
                batch.append(heard.get_nowait())
            if batch:
                cursor = batch[-1].cursor
            if any(isinstance(each, toril.EventsMissed) for each in batch):
                log.warning("events were trimmed unread; looking through the failed set", queue=self._name)
                await self.reconcile(queue, whole=True)
            told = [each for each in batch if isinstance(each, toril.events.Failed) or _replayed(each)]
            if cursor is not None and (told or time.monotonic() - saved > _SAVE):
                await self.take(queue, told, cursor)
                cursor, saved = None, time.monotonic()
            if time.monotonic() - looked > INTERVAL:
                await self.reconcile(queue, whole=False)
                looked = time.monotonic()


def _replayed(event: toril.Event) -> str | None:
    """The letter whose replay has completed, if this tells so."""
    return replayed_letter(event.job_id) if isinstance(event, toril.events.Completed) else None


async def _pump(events: toril.QueueEvents, heard: asyncio.Queue[toril.Event]) -> None:
    async for event in events:
        await heard.put(event)


async def run_recorders(database: Database, url: str, queues: Sequence[str]) -> None:
    """Record the failures of all queues until cancelled, whenever no other process does."""
    while True:
        try:
            async with database.engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                if await connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
                    await _lead(connection, [QueueRecorder(database, name, url) for name in queues])
        except (SQLAlchemyError, OSError) as error:
            log.warning("the lock for recording failures is gone", error=_line(error))
        await asyncio.sleep(_STANDBY)


async def _lead(connection: AsyncConnection, recorders: Sequence[QueueRecorder]) -> None:
    """Work for as long as the connection that holds the lock lives."""
    tasks = [asyncio.create_task(recorder.run()) for recorder in recorders]
    try:
        while True:
            done, _ = await asyncio.wait(tasks, timeout=_STANDBY, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await connection.execute(text("SELECT 1"))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await connection.invalidate()  # the lock is the connection's, and the pool would keep it


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
