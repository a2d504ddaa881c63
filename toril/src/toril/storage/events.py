"""The event stream of one queue: read without a silent gap, waited on, written and trimmed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from . import scripts
from .channel import Reply
from .connection import Connection
from .jobs import Fields, pair
from .keys import Keys

ENDS = (b"completed", b"failed", b"removed")
"""The events after which a job does not go on by itself."""

_LOOK_BACK = 1000


class Cursor(NamedTuple):
    """A place in the stream: the id of the last event read, and how many had been written with it.

    The number is -1 when it is not known, as of a cursor that was kept as a text.
    """

    id: str
    number: int = -1

    @classmethod
    def kept(cls, text: str) -> Cursor:
        """A cursor that was kept as a text."""
        return cls(text, 0 if text == "0-0" else -1)


class Entry(NamedTuple):
    """One event as it stands in the stream."""

    cursor: Cursor
    fields: Fields


class Batch(NamedTuple):
    """What was read behind a cursor, and whether events before it may be gone.

    What cannot be told: that the stream was removed and made anew, if exactly as many events of the new
    one are gone as the reader had read of the old one (none of either, on a queue without events), or
    if both have an event of the same millisecond.
    """

    missed: bool
    cursor: Cursor
    entries: list[Entry]

    @property
    def before(self) -> Cursor:
        """The place before its first entry, known to be missing nothing."""
        if not self.entries:
            return self.cursor
        return Cursor("0-0", max(-1, self.entries[0].cursor.number - 1))


class Ends(NamedTuple):
    """Which ends of jobs were told behind a cursor, each with its event's id; see `Batch`."""

    missed: bool
    cursor: Cursor
    entries: list[tuple[str, Fields]]


class End(NamedTuple):
    """How a job has ended: `completed`, `failed`, `missing`; or that it is `open`."""

    state: str
    text: bytes


def is_cursor(text: str) -> bool:
    """Whether a text is the id of an event."""
    ms, _, number = text.partition("-")
    return ms.isdecimal() and number.isdecimal()


def is_behind(cursor: str, other: str) -> bool:
    """Whether the event of the first id was written after that of the second."""
    return _place(cursor) > _place(other)


def _place(cursor: str) -> tuple[int, int]:
    ms, _, number = cursor.partition("-")
    return int(ms), int(number)


class EventStore:
    """The event stream of one queue.

    Args:
        connection: Used by `wait` for seconds at a time; calls that others make on it wait meanwhile.
        keys: The queue's.
    """

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    async def end(self) -> Cursor:
        """The stream's end."""
        return (await self._read("$", 1, -1)).cursor

    async def read(self, cursor: Cursor, count: int) -> Batch:
        """Read up to `count` events behind a cursor."""
        return await self._read(cursor.id, count, cursor.number)

    async def read_ends(self, cursor: Cursor, count: int) -> Ends:
        """Read which jobs have ended, by up to `count` events behind a cursor."""
        missed, last, number, found = await self._call(cursor.id, count, cursor.number, "1")
        return Ends(
            bool(missed),
            Cursor(last.decode(), number),
            [(entry_id.decode(), pair(flat)) for entry_id, flat in found],
        )

    async def _call(self, cursor: str, count: int, number: int, ends: str) -> Reply:
        return await scripts.run(
            self._connection, "read_events", self._keys.all, self._keys.base, cursor, count, number, ends
        )

    async def _read(self, cursor: str, count: int, number: int) -> Batch:
        missed, last, last_number, found = await self._call(cursor, count, number, "0")
        entries = []
        for i, (entry_id, flat) in enumerate(found):
            place = last_number - (len(found) - 1 - i) if last_number >= 0 else -1
            entries.append(Entry(Cursor(entry_id.decode(), place), pair(flat)))
        return Batch(bool(missed), Cursor(last.decode(), last_number), entries)

    async def wait(self, cursor: Cursor, timeout: float) -> None:
        """Sleep until there is an event behind the cursor, `timeout` seconds at the most."""
        await self._connection.call(
            "XREAD", "BLOCK", round(timeout * 1000), "COUNT", 1, "STREAMS", self._keys.events, cursor.id,
            timeout=timeout + 10,
        )  # fmt: skip

    async def last_ends(self, job_ids: Collection[str]) -> dict[str, Entry]:
        """Look back for how jobs that are gone have ended; the newest event that tells it, of each."""
        wanted = {job_id.encode() for job_id in job_ids}
        found: dict[str, Entry] = {}
        end = "+"
        while wanted:
            page = await self._connection.call("XREVRANGE", self._keys.events, end, "-", "COUNT", _LOOK_BACK)
            for entry_id, flat in page:
                fields = pair(flat)
                job_id = fields.get(b"jobId")
                if job_id in wanted and fields.get(b"event") in (*ENDS, b"added"):
                    wanted.discard(job_id)
                    if fields[b"event"] != b"added":
                        found[job_id.decode()] = Entry(Cursor(entry_id.decode()), fields)
            if len(page) < _LOOK_BACK:
                break
            end = f"({page[-1][0].decode()}"
        return found

    async def publish(self, fields: Sequence[str]) -> str:
        """Write an event, its fields and values in turn, the field `event` first; returns its id."""
        entry_id = await scripts.run(
            self._connection, "publish_event", self._keys.all, self._keys.base, *fields
        )
        assert isinstance(entry_id, bytes)
        return entry_id.decode()

    async def trim(self, max_length: int) -> int:
        """Remove the oldest events but `max_length`; returns how many."""
        removed = await self._connection.call("XTRIM", self._keys.events, "MAXLEN", max_length)
        assert isinstance(removed, int)
        return removed


async def read_ends(connection: Connection, keys: Keys, job_ids: Sequence[str]) -> tuple[Cursor, list[End]]:
    """Tell which jobs have ended and how, as of the event that is named."""
    last, number, *flat = await scripts.run(connection, "read_ends", keys.all, keys.base, *job_ids)
    ends = [End(flat[i].decode(), flat[i + 1]) for i in range(0, len(flat), 2)]
    return Cursor(last.decode(), number), ends
