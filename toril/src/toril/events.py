"""QueueEvents: the queue's event stream as typed async events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .errors import ConnectionFailed, ServerRefused
from .storage.address import Address, server_url
from .storage.connection import Connection
from .storage.jobs import pair
from .storage.keys import Keys

logger = logging.getLogger("toril")

_BLOCK_MS = 5000


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a queue.

    Attributes:
        type: `added`, `waiting`, `waiting-children`, `active`, `progress`, `delayed`, `stalled`,
            `completed`, `failed`, `retries-exhausted`, `removed`, `duplicated`, `deduplicated`,
            `drained`, `paused`, `resumed`.
        job_id: The job that it is about; None for those about the queue.
        fields: The event's other fields, as BullMQ writes them (e.g. `returnvalue`, JSON).
        cursor: Where it stands in the stream; `QueueEvents(since=cursor)` goes on behind it.
    """

    type: str
    job_id: str | None
    fields: Mapping[str, str]
    cursor: str


class QueueEvents:
    """The events of a queue, from toril and Node workers alike: `async for event in QueueEvents("email")`.

    Goes on by itself after the server was gone.

    Args:
        queue: The queue's name.
        url: The server; by default TORIL_URL, else the local one.
        prefix: What all keys begin with.
        since: A cursor to go on behind; None for events from `start` (or the first look) on.

    Raises:
        InvalidOption: the name or the URL is wrong.
    """

    def __init__(
        self, queue: str, url: str | None = None, *, prefix: str = "bull", since: str | None = None
    ) -> None:
        self._keys = Keys(queue, prefix)
        self._connection = Connection(Address.of(server_url(url)), name=f"{self._keys.client}:qe")
        self._cursor = since

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> str:
        """Fix the cursor at the stream's end, unless it has one; returns it.

        Raises:
            ConnectionFailed: the server cannot be reached.
        """
        if self._cursor is None:
            last = await self._connection.call("XREVRANGE", self._keys.events, "+", "-", "COUNT", 1)
            self._cursor = last[0][0].decode() if last else "0-0"
        return self._cursor

    async def __aiter__(self) -> AsyncIterator[Event]:
        cursor = await self.start()
        pause = 0.05
        while True:
            try:
                reply = await self._connection.call(
                    "XREAD", "BLOCK", _BLOCK_MS, "COUNT", 500, "STREAMS", self._keys.events, cursor,
                    timeout=_BLOCK_MS / 1000 + 10,
                )  # fmt: skip
            except (ConnectionFailed, ServerRefused) as error:
                logger.warning("events of %s cannot be read: %s; trying again", self._keys.qualified, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            pause = 0.05
            for entry_id, flat in reply[0][1] if reply else ():
                self._cursor = cursor = entry_id.decode()
                fields = {
                    key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
                    for key, value in pair(flat).items()
                }
                yield Event(fields.pop("event", "unknown"), fields.pop("jobId", None), fields, cursor)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
