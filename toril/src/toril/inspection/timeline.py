"""What has happened to a job, and when, as far as its record and the queue's events tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from ..errors import InvalidPayload
from ..queue import Queue
from ..record import Job
from ..storage.inspection import InspectionStore, JobEvent

Kind = Literal["added", "waiting", "delayed", "active", "completed", "failed", "other"]

LOOKS, EVENTS = 4, 500
"""How many script calls look for a job's events, and at how many events each."""

_KINDS: dict[str, Kind] = {
    "added": "added",
    "waiting": "waiting",
    "delayed": "delayed",
    "active": "active",
    "completed": "completed",
    "failed": "failed",
}
_TOLD = {
    "added": "added",
    "waiting": "waits for a worker",
    "waiting-children": "waits for its children",
    "active": "a worker began to run it",
    "completed": "completed",
    "failed": "failed",
    "stalled": "its worker died or lost it",
    "retries-exhausted": "no attempt is left",
    "cancelled": "was asked to end",
}
_LEFT_OUT = frozenset({"progress", "retries-exhausted", "deduplicated", "duplicated", "debounced"})


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that has happened to a job, or is to happen.

    Attributes:
        at: When, UTC.
        kind: What, for its colour.
        text: What, in words.
        to_come: Whether it has not happened yet.
    """

    at: datetime
    kind: Kind
    text: str
    to_come: bool = False


async def job_events(queue: Queue, job_id: str) -> list[JobEvent]:
    """A job's events among the newest 2,000 of its queue, the oldest first."""
    store = InspectionStore(queue.store.connection, queue.store.keys)
    return await store.events_of(job_id, LOOKS, EVENTS)


def timeline(job: Job, events: Sequence[JobEvent], due: datetime | None = None) -> list[Moment]:
    """What has happened to a job, the oldest first.

    Args:
        job: Its record, which tells of its adding, its last run and its end.
        events: What the queue's events still tell of it.
        due: Until when it is delayed now.
    """
    moments = [_moment(event) for event in events if event.fields.get("event") not in _LEFT_OUT]
    told = {moment.kind for moment in moments}
    moments += [moment for moment in _recorded(job) if moment.kind not in told]
    moments.sort(key=lambda moment: moment.at)
    if due is not None:
        moments.append(Moment(due, "waiting", "is due", to_come=True))
    return moments


def due_of(job: Job, events: Sequence[JobEvent]) -> datetime | None:
    """Until when a delayed job is delayed: by its last such event, else by its record."""
    for event in reversed(events):
        text = event.fields.get("delay", "")
        if event.fields.get("event") == "delayed" and text.isdecimal():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
    try:
        return None if job.timestamp is None else job.timestamp + timedelta(seconds=job.delay)
    except InvalidPayload:
        return None


def _moment(event: JobEvent) -> Moment:
    name = event.fields.get("event", "")
    text = _TOLD.get(name, name)
    if name == "delayed" and event.fields.get("delay", "").isdecimal():
        until = datetime.fromtimestamp(int(event.fields["delay"]) / 1000, UTC)
        text = f"delayed until {until:%Y-%m-%d %H:%M:%S} UTC"
    elif name == "waiting" and event.fields.get("prev") in {"active", "failed", "completed"}:
        text = f"waits again, after {event.fields['prev']}"
    return Moment(datetime.fromtimestamp(event.at_ms / 1000, UTC), _KINDS.get(name, "other"), text)


def _recorded(job: Job) -> list[Moment]:
    found: list[Moment] = []
    for field, kind, text in (
        ("timestamp", "added", "added"),
        ("processed_on", "active", "its last run began"),
        ("finished_on", "failed" if job.failed_reason is not None else "completed", ""),
    ):
        try:
            at: datetime | None = getattr(job, field)
        except InvalidPayload:
            continue
        if at is not None:
            found.append(Moment(at, _KINDS[kind], text or kind))
    return found
