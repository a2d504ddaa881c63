"""Taking a person out of the queues, through toril's public API alone.

What has ended and names her is removed. What is for her alone is removed; what names her otherwise goes on
without her. Events that name her take the queue's events with them: a reader is told that it missed some.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import toril
from insightdesk.retention.person import Gone, Person, is_anothers, without

_PAGE = 500
_ENDED = (toril.JobState.COMPLETED, toril.JobState.FAILED)
_TO_RUN = (
    toril.JobState.WAITING,
    toril.JobState.PRIORITIZED,
    toril.JobState.DELAYED,
    toril.JobState.WAITING_CHILDREN,
)
_MARK = "erasure"


@dataclass(frozen=True)
class Cleared:
    """What became of a queue's jobs: changed (or removed), and left because a worker runs them."""

    changed: int
    left: int


async def clear(queue: toril.Queue, person: Person) -> Cleared:
    """Take a person out of a queue's jobs and events.

    Jobs move from page to page and from state to state while they are read, so it looks until two passes in a
    row have found none.
    """
    changed = clean = 0
    while clean < 2:
        found, left = await _pass(queue, person)
        changed += found
        clean = 0 if found else clean + 1
    if await _told_of(queue, person):
        await queue.trim_events(0)
    return Cleared(changed, left)


async def _pass(queue: toril.Queue, person: Person) -> tuple[int, int]:
    """Look at each state once, in the order in which jobs go through them."""
    changed = left = 0
    for state in (*_TO_RUN, toril.JobState.ACTIVE, *_ENDED):
        for job in await _naming(queue, state, person):
            if state is toril.JobState.ACTIVE:
                left += 1
                continue
            try:
                await _take_out(job, person, ended=state in _ENDED)
                changed += 1
            except toril.JobLocked:
                left += 1
            except toril.JobNotFound:
                continue  # it has been removed meanwhile, as a job that ends is
    return changed, left


async def _naming(queue: toril.Queue, state: toril.JobState, person: Person) -> list[toril.Job]:
    """The jobs of a state that name her."""
    found: list[toril.Job] = []
    start = 0
    while True:
        page = await queue.get_jobs(state, start, start + _PAGE - 1)
        found += [job for job in page if await _names(job, person)]
        if len(page) < _PAGE:
            return found
        start += _PAGE


async def _names(job: toril.Job, person: Person) -> bool:
    """Whether anything that is kept of a job names her."""
    if person.is_in(job.id) or any(_is_in(value, person) for value in job.fields.values()):
        return not is_anothers(_data(job), person)
    return any(person.is_in(line) for line in await job.get_logs())


def _is_in(field: bytes, person: Person) -> bool:
    text = field.decode("utf-8", "replace")
    return person.is_in(text) or person.is_in(_unescaped(text))


def _unescaped(text: str) -> str:
    """JSON as its strings read: clients may escape what is not ASCII."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _data(job: toril.Job) -> toril.Json:
    try:
        return job.data
    except toril.InvalidPayload:
        return None


async def _take_out(job: toril.Job, person: Person, *, ended: bool) -> None:
    """Remove or rewrite a job. What cannot be rewritten (an id, the error of the last try) is removed."""
    others = (value for name, value in job.fields.items() if name != b"data")
    fixed = ended or person.is_in(job.id) or any(_is_in(value, person) for value in others)
    rest = Gone.GONE if fixed else without(_data(job), person)
    if isinstance(rest, Gone):
        await job.remove(children=False)
        return
    await job.clear_logs()
    await job.update_data(rest)


async def _told_of(queue: toril.Queue, person: Person) -> bool:
    """Whether one of the queue's events names her; they are read up to a mark that is set now."""
    async with toril.QueueEvents(queue.name, queue.url, prefix=queue.prefix, since="0-0") as events:
        mark = await queue.publish_event(_MARK)
        async for event in events:
            if any(person.is_in(value) for value in event.fields.values()):
                return True
            if event.cursor == mark:
                return False
    raise AssertionError("the stream of events has no end")
