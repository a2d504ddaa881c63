"""What `toril retry`, `promote`, `remove` and `cancel` do to jobs: one by one, or to a state's all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ..errors import JobError
from ..job import JobState
from ..queue import Queue

AT_ONCE = 100
"""How many calls are under way at once."""
SLICE = 1000
"""How many jobs of a whole state one call moves."""


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that is done to jobs.

    Attributes:
        name: As in a question: `retry 12 jobs?`.
        done: As in an answer: `retried 12 jobs`.
        one: Does it to the job of an id.
        whole: Does it to the oldest so many jobs of a state, and returns to how many; None if that goes
            by their ids only.
    """

    name: str
    done: str
    one: Callable[[Queue, str], Awaitable[object]]
    whole: Callable[[Queue, JobState, int], Awaitable[int]] | None = None


def retrying(reset_attempts: bool) -> Verb:
    """Let finished jobs run again."""
    return Verb(
        "retry",
        "retried",
        lambda queue, job_id: queue.retry(job_id, reset_attempts=reset_attempts),
        lambda queue, state, limit: queue.retry_jobs(state, limit=limit, reset_attempts=reset_attempts),
    )


def promoting() -> Verb:
    """Let delayed jobs run now."""
    return Verb(
        "promote",
        "promoted",
        lambda queue, job_id: queue.promote(job_id),
        lambda queue, _, limit: queue.promote_jobs(limit=limit),
    )


def removing() -> Verb:
    """Remove jobs that do not run."""

    async def clean(queue: Queue, state: JobState, limit: int) -> int:
        return len(await queue.clean(state, limit=limit))

    return Verb("remove", "removed", lambda queue, job_id: queue.remove(job_id), clean)


def cancelling(reason: str) -> Verb:
    """Let jobs fail as cancelled."""
    return Verb("cancel", "cancelled", lambda queue, job_id: queue.cancel(job_id, reason))


@dataclass(slots=True)
class Result:
    """What came of it: to how many it was done, and why not to others, by their ids."""

    done: int = 0
    refused: dict[str, str] = field(default_factory=dict)


async def do_to_ids(queue: Queue, verb: Verb, ids: Sequence[str], step: Callable[[int], None]) -> Result:
    """Do a verb to jobs by their ids; one that refuses stops no other."""
    result = Result()

    async def one(job_id: str) -> None:
        try:
            await verb.one(queue, job_id)
        except JobError as error:
            result.refused[job_id] = str(error)
        else:
            result.done += 1

    for start in range(0, len(ids), AT_ONCE):
        chunk = ids[start : start + AT_ONCE]
        await asyncio.gather(*(one(job_id) for job_id in chunk))
        step(len(chunk))
    return result


async def do_to_state(
    queue: Queue, verb: Verb, state: JobState, count: int, step: Callable[[int], None]
) -> Result:
    """Do a verb to the oldest `count` jobs of a state."""
    assert verb.whole is not None
    result = Result()
    while result.done < count:
        moved = await verb.whole(queue, state, min(SLICE, count - result.done))
        if not moved:
            break
        result.done += moved
        step(moved)
    return result
