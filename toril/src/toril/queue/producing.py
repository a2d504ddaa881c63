"""Adding jobs: one by one, coalesced, or in bulk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Unpack

from ..codec import AddArguments, add_arguments
from ..job import JobKeywords, Json, NewJob
from ..record import Job
from ..storage.jobs import Added
from .steering import Steering

CHUNK = 500
"""How many jobs one script call adds at the most, so that no call holds the server for long."""

_Pending = tuple[AddArguments, "asyncio.Future[tuple[Added, int]]"]


class Producing(Steering):
    """The verbs that add jobs."""

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        super().__init__(name, url, prefix=prefix)
        self._pending: list[_Pending] = []
        self._flushes: set[asyncio.Task[None]] = set()

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

    async def close(self) -> None:
        """Send what is still to be added, then close. May be called more than once."""
        if self._pending:
            self._start_flush()
        if self._flushes:
            await asyncio.wait(self._flushes)
        await super().close()
