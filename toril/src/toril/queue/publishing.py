"""The queue's event stream: events of one's own, and its length. `QueueEvents` reads it."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidOption
from ..options import valid_text, whole
from ..storage.events import EventStore
from .base import QueueBase

TAKEN = frozenset(
    (
        "active", "added", "cleaned", "completed", "deduplicated", "delayed", "drained", "duplicated",
        "error", "failed", "paused", "progress", "removed", "resumed", "retries-exhausted", "stalled",
        "waiting", "waiting-children",
    )
)  # fmt: skip
"""The types of BullMQ's own events, and what Node's clients use for errors."""


class Publishing(QueueBase):
    """The verbs on the event stream."""

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        super().__init__(name, url, prefix=prefix)
        self._stream = EventStore(self._store.connection, self._store.keys)

    async def publish_event(self, name: str, fields: Mapping[str, str] | None = None) -> str:
        """Write a custom event, which all readers of the queue's events hear; returns its cursor.

        Args:
            name: Its type; those of BullMQ's own events are refused.
            fields: What it says. `jobId` is the job that it is about, if any.

        Raises:
            InvalidOption: the name is empty or BullMQ's, or a field is called `event` or is no text.
        """
        flat = ["event", name]
        for key, value in (fields or {}).items():
            if key == "event" or not isinstance(key, str) or not isinstance(value, str):
                raise InvalidOption(
                    f"field {key!r} of event {name!r}: names and values are texts, not {value!r}"
                )
            flat += [key, valid_text(value, f"field {key!r} of event {name!r}") if value else value]
        if not isinstance(name, str) or not name or name in TAKEN:
            raise InvalidOption(f"a custom event's name must be a non-empty text of one's own, not {name!r}")
        valid_text(name, "a custom event's name")
        return await self._stream.publish(flat)

    async def set_max_events(self, max_length: int) -> None:
        """Let the stream keep about `max_length` events, by all clients; 10,000 unless set.

        Raises:
            InvalidOption: the length is not from 1 to a billion.
        """
        await self._limits.set(**{"opts.maxLenEvents": whole(max_length, "max_length", 1, 1_000_000_000)})

    async def trim_events(self, max_length: int) -> int:
        """Remove the oldest events but `max_length`; returns how many.

        Without this the stream keeps about 10,000. A reader that has not read them is told by an
        `EventsMissed`.

        Raises:
            InvalidOption: the length is not from 0 to a billion.
        """
        return await self._stream.trim(whole(max_length, "max_length", 0, 1_000_000_000))
