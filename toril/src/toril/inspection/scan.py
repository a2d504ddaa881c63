"""Looking through the jobs of one state, a bounded number at a time, and telling how far it has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

from ..job import JobState
from ..queue import Queue
from ..queue.reading import KEY_OF_STATE
from ..record import Job
from ..storage.inspection import InspectionStore
from .query import Query, Shown

CHUNK = 250
"""How many jobs one script call looks at."""
SECONDS = 0.1
"""How long one scan looks before it tells how far it has come."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan has found.

    Attributes:
        jobs: Those that fulfil the query, in the order of the state.
        start, end: The first place that was looked at, and the one at which to go on.
        total: How many jobs there are in that state.
    """

    jobs: Sequence[Job]
    start: int
    end: int
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to be looked at."""
        return self.end >= self.total


async def pages(
    queue: Queue,
    state: JobState,
    start: int,
    *,
    ascending: bool,
    texts: Sequence[str] = (),
    fields: Sequence[str] = (),
) -> AsyncIterator[tuple[int, list[Job]]]:
    """Go through the jobs of a state from a place on; yields how many were looked at, and some of them.

    Of each page those that have the texts, and of them these fields alone if any are given.
    """
    store = InspectionStore(queue.store.connection, queue.store.keys)
    key = KEY_OF_STATE[state]
    while True:
        looked, found = await store.scan(key, start, start + CHUNK - 1, ascending, texts, fields)
        yield looked, [Job(queue, job_id, hash_) for job_id, hash_ in found]
        if looked == 0:
            return
        start += looked


async def search(
    queue: Queue,
    state: JobState,
    query: Query,
    *,
    shown: Shown,
    start: int = 0,
    most: int = 50,
    look: int | None = None,
    seconds: float | None = None,
    ascending: bool = False,
) -> Found:
    """Look through jobs of one state for those that fulfil a query.

    Args:
        start: From which place on.
        shown: A job's payload as it may be searched.
        most: How many to find at the most.
        look: How many to look at at the most; None for as many as time allows.
        seconds: How long to look, where `look` does not say; `SECONDS` if None.
        ascending: Begin with the oldest (or next to run).
    """
    total = (await queue.get_job_counts())[str(state)]
    loop = asyncio.get_running_loop()
    ends = loop.time() + (SECONDS if seconds is None else seconds)
    jobs: list[Job] = []
    end = start
    async for looked, found in pages(queue, state, start, ascending=ascending, texts=query.texts):
        if looked == 0:
            return Found(jobs, start, max(end, total), total)
        for job in found:
            if query.fits(job, shown):
                jobs.append(job)
        end += looked
        if len(jobs) >= most or (loop.time() > ends if look is None else end - start >= look):
            break
    return Found(jobs, start, end, total)


EVERYWHERE = (
    JobState.FAILED,
    JobState.ACTIVE,
    JobState.WAITING,
    JobState.PRIORITIZED,
    JobState.DELAYED,
    JobState.WAITING_CHILDREN,
    JobState.COMPLETED,
)
"""In which order all states are looked through: first those that people ask after."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search through all states is: which state, and which place in it."""

    state: JobState = EVERYWHERE[0]
    start: int = 0


@dataclass(frozen=True, slots=True)
class FoundEverywhere:
    """What a search through all states has found.

    Attributes:
        jobs: Those that fulfil the query, with their states.
        looked: How many have been looked at, since the beginning of the search.
        total: How many jobs there are.
        further: Where to go on; None if nothing is left to be looked at.
    """

    jobs: Sequence[tuple[JobState, Job]]
    looked: int
    total: int
    further: Place | None


async def search_everywhere(
    queue: Queue,
    query: Query,
    *,
    shown: Shown,
    place: Place,
    most: int = 50,
    next_first: Collection[JobState] = (),
) -> FoundEverywhere:
    """Look through the jobs of all states from a place on, for as long as `SECONDS`; else as `search`.

    Args:
        next_first: States of which to begin with the oldest, or next to run.
    """
    counts = await queue.get_job_counts()
    total = sum(counts[str(state)] for state in EVERYWHERE)
    loop = asyncio.get_running_loop()
    ends = loop.time() + SECONDS
    jobs: list[tuple[JobState, Job]] = []
    looked = sum(counts[str(state)] for state in EVERYWHERE[: EVERYWHERE.index(place.state)])
    start = place.start
    for state in EVERYWHERE[EVERYWHERE.index(place.state) :]:
        found = await search(
            queue,
            state,
            query,
            shown=shown,
            start=start,
            most=most - len(jobs),
            seconds=ends - loop.time(),
            ascending=state in next_first,
        )
        jobs += [(state, job) for job in found.jobs]
        if not found.is_whole:
            return FoundEverywhere(jobs, looked + found.end, total, Place(state, found.end))
        looked, start = looked + counts[str(state)], 0
        if len(jobs) >= most and state is not EVERYWHERE[-1]:
            return FoundEverywhere(jobs, looked, total, Place(EVERYWHERE[EVERYWHERE.index(state) + 1]))
    return FoundEverywhere(jobs, total, total, None)
