"""Finds the jobs of one state that fulfil what options ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from ..inspection.failures import gather_failures
from ..inspection.query import Query
from ..inspection.scan import pages
from ..job import JobState
from ..queue import Queue
from ..record import Job
from .telling import NotDone

Name = Annotated[str | None, typer.Option(help="Only jobs of this name.")]
Search = Annotated[
    str | None,
    typer.Option(
        metavar="QUERY",
        help="Only jobs that fulfil each word of it: text, id=17, error~timeout, data.userId=u1, attempts>2.",
    ),
]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a job must be.

    Attributes:
        name: Its name; None for any.
        query: What it must fulfil besides.
    """

    name: str | None
    query: Query

    @classmethod
    def of(cls, name: str | None, search: str | None) -> Filter:
        """Read what options say. Raises InvalidOption."""
        return cls(name, Query.parse(search or ""))

    def __bool__(self) -> bool:
        return self.name is not None or bool(self.query)

    def fits(self, job: Job) -> bool:
        """Whether a job is so."""
        return (self.name is None or job.name == self.name) and self.query.fits(job, lambda job: job.data)


@dataclass(frozen=True, slots=True)
class Found:
    """The jobs that fulfil a filter, and how many were looked at for them."""

    jobs: list[Job]
    looked: int


async def find(
    queue: Queue,
    state: JobState,
    wanted: Filter,
    *,
    limit: int | None,
    look: int | None,
    ascending: bool,
    step: Callable[[int], None],
) -> Found:
    """Look through the jobs of a state for those that are wanted.

    Args:
        limit: How many to find at the most; None for all.
        look: How many to look at at the most; None for all.
        ascending: Begin with the oldest (or next to run); else with the newest.
        step: Told how many were looked at since.
    """
    found: list[Job] = []
    total = 0
    async for looked, jobs in pages(queue, state, 0, ascending=ascending, texts=wanted.query.texts):
        found += [job for job in jobs if wanted.fits(job)]
        total += looked
        step(looked)
        if (limit is not None and len(found) >= limit) or (look is not None and total >= look):
            break
    return Found(found[:limit], total)


async def failed_alike(queue: Queue, fingerprint: str, limit: int | None) -> list[str]:
    """The ids of failed jobs of one kind, the oldest first.

    Raises:
        NotDone: there are none.
    """
    failures = await gather_failures(queue, (await queue.get_job_counts())["failed"])
    for group in failures.groups:
        if group.kind.fingerprint == fingerprint:
            return group.ids[::-1][:limit]
    raise NotDone(f"no failed job of queue {queue.name} has the fingerprint {fingerprint!r}")
