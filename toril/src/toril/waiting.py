"""Waits for jobs to end, by one reader of the queue's events for all who wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from .codec import decode_json
from .errors import ConnectionFailed, JobFailed, JobNotFound, ServerRefused, WaitTimeout
from .job import Json
from .options import seconds
from .storage.connection import Connection
from .storage.events import ENDS, Cursor, End, EventStore, is_behind, read_ends
from .storage.jobs import Fields, JobStore

logger = logging.getLogger("toril")

RECHECK = 5.0
"""Seconds between two looks at all jobs that are waited for: some are removed without an event."""

_CHUNK = 500
_PAGE = 1000


class _Waiter:
    """One call of `wait`.

    Attributes:
        future: Gets the result's JSON, or the error to raise.
        after: The last event before the job was looked at; None before that.
        early: Ends that were read before it was known whether they are older than that look.
    """

    __slots__ = ("after", "early", "future", "job_id")

    def __init__(self, job_id: str, future: asyncio.Future[bytes]) -> None:
        self.job_id = job_id
        self.future = future
        self.after: str | None = None
        self.early: list[tuple[str, Fields]] = []

    def end(self, state: str, text: bytes) -> None:
        if self.future.done():
            return
        if state == "completed":
            self.future.set_result(text)
        elif state == "failed":
            self.fail(JobFailed(text.decode("utf-8", "replace"), self.job_id))
        else:
            self.fail(JobNotFound(f"job {self.job_id} is gone: it was removed, or never was", self.job_id))

    def heard(self, event: Fields) -> None:
        kind = event[b"event"].decode()
        text = event.get(b"returnvalue", b"null") if kind == "completed" else event.get(b"failedReason", b"")
        self.end(kind, text)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class JobEnds:
    """Tells callers of `wait` when their job has ended. One per queue object.

    A job is looked at once, together with all others that are asked for in the same turn of the event
    loop; the look names the last event before it. From there on the reader's events tell how it ends,
    with its result, so that a job which is not kept is told too. Where they may have been missed, and
    now and then, all jobs are looked at again.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._connection = Connection(store.connection.address, name="toril-wait")
        self._stream = EventStore(self._connection, store.keys)
        self._past = EventStore(store.connection, store.keys)
        self._waiting: dict[str, set[_Waiter]] = {}
        self._unseen: list[_Waiter] = []
        self._looks: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self._read_from = "0-0"

    async def wait(self, job_id: str, timeout: float | timedelta | None) -> Json:
        """Return the job's result once it has ended; see `Job.wait`."""
        limit = None if timeout is None else seconds(timeout, "timeout")
        waiter = _Waiter(job_id, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(job_id, set()).add(waiter)
        self._look_at([waiter])
        try:
            async with asyncio.timeout(limit):
                text = await waiter.future
        except TimeoutError:
            raise WaitTimeout(f"job {job_id} did not end within {limit:g} s", job_id) from None
        finally:
            waiters = self._waiting[job_id]
            waiters.discard(waiter)
            if not waiters:
                del self._waiting[job_id]
        return decode_json(text, f"result of job {job_id}")

    def _look_at(self, waiters: Sequence[_Waiter]) -> None:
        if not self._unseen:
            asyncio.get_running_loop().call_soon(self._start_look)
        self._unseen += waiters

    def _start_look(self) -> None:
        unseen, self._unseen = self._unseen, []
        look = asyncio.create_task(self._look(unseen))
        self._looks.add(look)
        look.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._looks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._fail_all(error)  # nobody may wait for a task that is dead

    def _fail_all(self, error: Exception) -> None:
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.fail(error)

    async def _look(self, unseen: Sequence[_Waiter]) -> None:
        waiters = [waiter for waiter in unseen if not waiter.future.done()]
        for start in range(0, len(waiters), _CHUNK):
            chunk = waiters[start : start + _CHUNK]
            try:
                cursor, ends = await read_ends(
                    self._store.connection, self._store.keys, [waiter.job_id for waiter in chunk]
                )
                self._looked(chunk, cursor, ends)
                gone = [waiter for waiter, end in zip(chunk, ends, strict=True) if end.state == "missing"]
                await self._look_back(gone)
            except (ConnectionFailed, ServerRefused) as error:
                for waiter in chunk:
                    if waiter.after is None:  # the others are looked at again in due time
                        waiter.fail(error)

    def _looked(self, waiters: Sequence[_Waiter], cursor: Cursor, ends: Sequence[End]) -> None:
        listening = []
        for waiter, end in zip(waiters, ends, strict=True):
            if end.state == "missing":
                continue
            if end.state != "open":
                waiter.end(*end)
                continue
            listening.append(waiter)
            waiter.after = cursor.id
            for event_id, event in waiter.early:
                if is_behind(event_id, cursor.id):
                    waiter.heard(event)
            waiter.early.clear()
        if not listening:
            return
        if self._reader is None or self._reader.done():
            self._read_from = cursor.id
            self._reader = asyncio.create_task(self._read(cursor))
            self._reader.add_done_callback(self._ended)
        elif is_behind(self._read_from, cursor.id):
            self._look_at(listening)  # the reader began behind this look

    async def _look_back(self, gone: Sequence[_Waiter]) -> None:
        """A job that is not kept may have told its end in an event that still stands."""
        if not gone:
            return
        ends = await self._past.last_ends({waiter.job_id for waiter in gone})
        for waiter in gone:
            entry = ends.get(waiter.job_id)
            if entry is None:
                waiter.end("missing", b"")
            else:
                waiter.heard(entry.fields)

    async def _read(self, cursor: Cursor) -> None:
        loop = asyncio.get_running_loop()
        pause, look_at_all = 0.05, loop.time() + RECHECK
        while self._waiting:
            try:
                batch = await self._stream.read_ends(cursor, _PAGE)
                if not batch.missed and batch.cursor.id == cursor.id:
                    await self._stream.wait(batch.cursor, max(0.001, look_at_all - loop.time()))
            except (ConnectionFailed, ServerRefused) as error:
                logger.warning("waiting for jobs to end: %s; trying again", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                look_at_all = 0.0
                continue
            pause = 0.05
            cursor = batch.cursor
            cleaned = [self._heard(event_id, event) for event_id, event in batch.entries]
            if batch.missed or any(cleaned) or loop.time() >= look_at_all:
                look_at_all = loop.time() + RECHECK
                self._look_at([waiter for waiters in self._waiting.values() for waiter in waiters])

    def _heard(self, event_id: str, event: Fields) -> bool:
        """Tell those who wait; returns whether jobs were removed without an event of their own."""
        if event.get(b"event") in ENDS:
            for waiter in self._waiting.get(event.get(b"jobId", b"").decode("utf-8", "replace"), ()):
                if waiter.after is None:
                    waiter.early.append((event_id, event))
                elif is_behind(event_id, waiter.after):
                    waiter.heard(event)
        return event.get(b"event") == b"cleaned"

    async def close(self) -> None:
        """Stop reading; those who still wait are told so."""
        tasks = [*self._looks, *([self._reader] if self._reader else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._fail_all(ConnectionFailed("the queue was closed while its jobs were waited for"))
        await self._connection.close()
