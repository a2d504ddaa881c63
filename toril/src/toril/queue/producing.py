"""Adding jobs: one by one, coalesced, or in bulk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import Unpack

from ..codec import AddArguments, add_arguments, flow_arguments
from ..errors import InvalidOption, JobError, ParentMissing, ParentTaken
from ..hooks import Telemetry, overriding, sending
from ..job import JobKeywords, JobOptions, Json, NewJob
from ..record import Job
from ..storage.flows import NO_PARENT, Refused, add_flow
from ..storage.jobs import Added
from ..storage.keys import Keys
from .gathered import CHUNK, GatheredAdds
from .steering import Steering

_PLAIN = JobOptions.of()


class Producing(Steering):
    """The verbs that add jobs."""

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        super().__init__(name, url, prefix=prefix)
        self._defaults = _PLAIN
        self._senders: tuple[Telemetry, ...] = ()
        self._gathered = GatheredAdds(self._store)

    def follow(self, telemetry: Sequence[Telemetry]) -> None:
        """Let these follow what is added from now on; for toril's own modules."""
        self._senders = overriding(telemetry, "sending")

    async def add(self, name: str, data: Json = None, **options: Unpack[JobKeywords]) -> Job:
        """Add a job.

        Calls made in one turn of the event loop travel together, the first one at once. `job.created` tells
        whether this call made the job, or which earlier one it is.

        Raises:
            InvalidOption: the name or an option is wrong.
            InvalidPayload: the data cannot be written as JSON.
            ParentMissing, ParentTaken: see `parent` in `JobOptions`.
            NotReplicated: the URL asks for replicas, and too few had the job in time.
        """
        new = self.with_defaults(NewJob(name, data, **options))
        if self._senders:
            return await self._add_followed(new)
        if new.options.parent is not None:
            return (await self._add_children([new]))[0]
        arguments = add_arguments(new)
        added, now = await self._gathered.add(arguments)
        return self.made(new, added, now, arguments)

    async def _add_followed(self, new: NewJob) -> Job:
        # Apart from `add`, in which one more coroutine would cost each job of those who follow none.
        with sending(self._senders, self._name, [new]) as sent:
            (new,) = sent.jobs
            if new.options.parent is not None:
                (made,) = await self._add_children([new])
            else:
                arguments = add_arguments(new)
                made = self.made(new, *await self._gathered.add(arguments), arguments)
            sent.added([made])
            return made

    def with_defaults(self, new: NewJob) -> NewJob:
        """Put the queue's defaults where the job says nothing; for toril's own modules."""
        if self._defaults is _PLAIN:
            return new
        given = {
            field.name: value
            for field in fields(JobOptions)
            if (value := getattr(new.options, field.name)) != getattr(_PLAIN, field.name)
        }
        return NewJob.with_options(new.name, new.data, replace(self._defaults, **given))

    async def add_many(self, jobs: Sequence[NewJob]) -> list[Job]:
        """Add many jobs, in order, one round trip for each 500; each such chunk is all or nothing.

        Raises:
            InvalidPayload: a job's data cannot be written as JSON; none is added.
            ParentMissing, ParentTaken: of jobs with a `parent`; such jobs are all added or none.
        """
        if self._defaults is not _PLAIN:
            jobs = [self.with_defaults(job) for job in jobs]
        if not self._senders:
            return await self._add_many(jobs)
        with sending(self._senders, self._name, jobs) as sent:
            made = await self._add_many(sent.jobs)
            sent.added(made)
            return made

    async def _add_many(self, jobs: Sequence[NewJob]) -> list[Job]:
        if any(job.options.parent is not None for job in jobs):
            return await self._add_children(jobs)
        arguments = [add_arguments(job) for job in jobs]
        chunks = [arguments[start : start + CHUNK] for start in range(0, len(arguments), CHUNK)]
        made: list[Job] = []
        calls: deque[asyncio.Task[tuple[list[Added], int]]] = deque()
        try:
            for i, chunk in enumerate(chunks):
                # Two calls under way: the server works on one while we write or read the other.
                for ahead in chunks[i + len(calls) : i + 2]:
                    calls.append(asyncio.create_task(self._store.add(ahead)))
                added, now = await calls[0]
                calls.popleft()
                made += [
                    self.made(job, each, now, one)
                    for job, each, one in zip(islice(jobs, len(made), None), added, chunk, strict=False)
                ]
        finally:
            await asyncio.gather(*calls, return_exceptions=True)
        return made

    async def _add_children(self, jobs: Sequence[NewJob]) -> list[Job]:
        for job in jobs:
            if job.options.deduplication is not None:
                raise InvalidOption("a job with a parent cannot have a deduplication; give it a job_id")
            if (parent := job.options.parent) is not None:
                base = Keys(parent.queue, parent.prefix).base
                self._store.connection.address.check_shares_slot(base)
        keys = self._store.keys
        try:
            added, now = await add_flow(
                self._store.connection, keys, [flow_arguments(keys.base, job, 0, False) for job in jobs]
            )
        except Refused as refused:
            raise refusal(refused, jobs[refused.place]) from None
        return [self.made(job, each, now) for job, each in zip(jobs, added, strict=True)]

    def made(self, new: NewJob, added: Added, now: int, arguments: AddArguments | None = None) -> Job:
        """The job that was added at `now` (ms); for toril's own modules."""
        if arguments is None:
            arguments = add_arguments(new)
        raw = {
            b"name": arguments.shape.name.encode(),
            b"data": arguments.data.encode(),
            b"opts": arguments.shape.options.encode(),
            b"timestamp": b"%d" % now,
            b"delay": b"%d" % arguments.shape.delay_ms,
            b"priority": b"%d" % arguments.shape.priority,
        }
        return Job(self, added.job_id, raw, created=added.status == 0)

    async def close(self) -> None:
        """Send what is still to be added, then close. May be called more than once."""
        self._gathered.send()
        await self._gathered.settled()
        await super().close()


def refusal(refused: Refused, new: NewJob) -> JobError:
    """The error that tells why a job with a parent was not added."""
    if refused.code == NO_PARENT:
        parent = new.options.parent
        return ParentMissing(f"no parent {parent} for job {new.name!r}", parent.id if parent else "")
    own = new.options.job_id or ""
    return ParentTaken(f"job {own} is the child of another parent", own)
