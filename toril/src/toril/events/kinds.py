"""The kinds of events: one class for each that BullMQ's clients write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ..codec import decode_json
from ..errors import InvalidPayload
from ..job import Json


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a queue; a plain one is of a type that toril does not know, as custom events are.

    Attributes:
        type: What has happened, as BullMQ writes it, e.g. `completed`.
        job_id: The job that it is about; None for those about the queue.
        fields: The event's other fields, as they stand in the stream.
        cursor: Where it stands in the stream; `QueueEvents(since=cursor)` goes on behind it.
    """

    type: str
    job_id: str | None
    fields: Mapping[str, str]
    cursor: str

    def _json(self, field: str) -> Json:
        return decode_json(self.fields.get(field, "null").encode(), f"{field} of event {self.cursor}")

    def _number(self, field: str) -> int:
        text = self.fields.get(field, "")
        try:
            return int(float(text))
        except (ValueError, OverflowError):
            raise InvalidPayload(f"{field} of event {self.cursor} is no number: {text[:50]!r}") from None


class EventsMissed(Event):
    """Events behind the reader's last one have been trimmed, or the stream was removed and made anew.

    What they told must be looked up; the reader goes on with what is there. `cursor` is the last
    event that was read before them. Told too when the event of a kept cursor is gone itself, for
    then it is not known what followed it.
    """

    __slots__ = ()


class JobEvent(Event):
    """An event about a job.

    Attributes:
        job_id: The job.
    """

    __slots__ = ()
    job_id: str

    @property
    def prev(self) -> str | None:
        """The state that the job came from, where the event tells it."""
        return self.fields.get("prev")


class Added(JobEvent):
    """A job was added."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The job's name."""
        return self.fields.get("name", "")


class Waiting(JobEvent):
    """A job may be run: it was added, is due, was promoted, retried or given back."""

    __slots__ = ()


class Delayed(JobEvent):
    """A job waits for a time."""

    __slots__ = ()

    @property
    def due(self) -> datetime:
        """When it is due, UTC. Raises InvalidPayload if that is no time."""
        return datetime.fromtimestamp(self._number("delay") / 1000, UTC)


class WaitingChildren(JobEvent):
    """A job waits for its children."""

    __slots__ = ()


class Active(JobEvent):
    """A worker has begun to run a job."""

    __slots__ = ()


class Progress(JobEvent):
    """A job has told how far it has come."""

    __slots__ = ()

    @property
    def progress(self) -> Json:
        """What `update_progress` was given. Raises InvalidPayload if it is no JSON."""
        return self._json("data")


class Stalled(JobEvent):
    """A job was taken from a worker that has died, or has lost it."""

    __slots__ = ()


class Completed(JobEvent):
    """A job has completed."""

    __slots__ = ()

    @property
    def return_value(self) -> Json:
        """What its handler returned. Raises InvalidPayload if it is no JSON."""
        return self._json("returnvalue")


class Failed(JobEvent):
    """A job has failed for good."""

    __slots__ = ()

    @property
    def failed_reason(self) -> str:
        """Why."""
        return self.fields.get("failedReason", "")


class RetriesExhausted(JobEvent):
    """A job has failed, with no attempt left. Comes after `Failed`."""

    __slots__ = ()

    @property
    def attempts_made(self) -> int:
        """How many runs have ended. Raises InvalidPayload if that is no number."""
        return self._number("attemptsMade")


class Removed(JobEvent):
    """A job was removed by hand."""

    __slots__ = ()


class Duplicated(JobEvent):
    """A job was not added, for one of its id stands already."""

    __slots__ = ()


class Deduplicated(JobEvent):
    """A job was not added, for another one holds its deduplication key."""

    __slots__ = ()

    @property
    def deduplication_id(self) -> str:
        """The key."""
        return self.fields.get("deduplicationId", "")

    @property
    def deduplicated_job_id(self) -> str:
        """The other of the two jobs, as the client that wrote the event has it."""
        return self.fields.get("deduplicatedJobId", "")


class Drained(Event):
    """No job waits or runs any more; delayed ones may be there."""

    __slots__ = ()


class Cleaned(Event):
    """Jobs were removed by `clean`."""

    __slots__ = ()

    @property
    def count(self) -> int:
        """How many. Raises InvalidPayload if that is no number."""
        return self._number("count")


class Paused(Event):
    """The queue was paused."""

    __slots__ = ()


class Resumed(Event):
    """The queue goes on."""

    __slots__ = ()


OF_A_JOB: dict[str, type[JobEvent]] = {
    "added": Added,
    "waiting": Waiting,
    "delayed": Delayed,
    "waiting-children": WaitingChildren,
    "active": Active,
    "progress": Progress,
    "stalled": Stalled,
    "completed": Completed,
    "failed": Failed,
    "retries-exhausted": RetriesExhausted,
    "removed": Removed,
    "duplicated": Duplicated,
    "deduplicated": Deduplicated,
}
OF_A_QUEUE: dict[str, type[Event]] = {
    "drained": Drained,
    "cleaned": Cleaned,
    "paused": Paused,
    "resumed": Resumed,
}
KINDS: dict[str, type[Event]] = {**OF_A_JOB, **OF_A_QUEUE}
"""The class of each type that BullMQ's clients write."""


def event_of(fields: Mapping[bytes, bytes], cursor: str) -> Event:
    """Make an event of what stands in the stream; a plain `Event` if it is of no known kind."""
    texts = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in fields.items()
    }
    label, job_id = texts.pop("event", ""), texts.pop("jobId", None)
    kind = OF_A_QUEUE.get(label, Event) if job_id is None else OF_A_JOB.get(label, Event)
    return kind(label, job_id, texts, cursor)
