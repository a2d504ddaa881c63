"""QueueEvents: the queue's event stream, read without a silent gap."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

from ..errors import ConnectionFailed, EventsLost, InvalidOption, ServerRefused
from ..options import seconds
from ..storage.address import Address, server_url
from ..storage.connection import Connection
from ..storage.events import Batch, Cursor, EventStore, is_cursor
from ..storage.keys import Keys
from .kinds import Event, EventsMissed, event_of

logger = logging.getLogger("toril")

E = TypeVar("E", bound=Event)
T = TypeVar("T")

_BLOCK = 5.0
_PAGE = 500


class QueueEvents:
    """The events of a queue, from toril and Node workers alike: `async for event in QueueEvents("email")`.

    Goes on by itself after the server was gone. Where events were trimmed before they were read, an
    `EventsMissed` stands in their place. As a context manager it fixes its place on entering, so
    that nothing which happens afterwards is missed, however late one begins to read.

    Args:
        queue: The queue's name.
        url: The server; by default TORIL_URL, else the local one.
        prefix: What all keys begin with.
        since: A cursor to go on behind; None for events from `start` (or the first look) on.

    Raises:
        InvalidOption: the name, the URL or the cursor is wrong.
    """

    def __init__(
        self, queue: str, url: str | None = None, *, prefix: str = "bull", since: str | None = None
    ) -> None:
        if since is not None and not is_cursor(since):
            raise InvalidOption(f"no cursor of an event: {since!r}")
        keys = Keys(queue, prefix)
        self._qualified = keys.qualified
        address = Address.of(server_url(url)).serving(keys.base)
        self._connection = Connection(address, name=f"{keys.client}:qe")
        self._stream = EventStore(self._connection, keys)
        self._cursor = None if since is None else Cursor.kept(since)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def cursor(self) -> str | None:
        """The last event read, to be kept as `since` for another reader; None before `start`."""
        return None if self._cursor is None else self._cursor.id

    async def start(self) -> str:
        """Fix the cursor at the stream's end, unless it has one; returns it.

        Raises:
            ConnectionFailed: the server cannot be reached.
        """
        return (await self._start()).id

    async def _start(self) -> Cursor:
        if self._cursor is None:
            self._cursor = await self._stream.end()
        return self._cursor

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for behind, batch in self._batches():
            if batch.missed:
                self._cursor = batch.before
                yield EventsMissed("events-missed", None, {}, behind.id)
            for entry in batch.entries:
                self._cursor = entry.cursor
                yield event_of(entry.fields, entry.cursor.id)
            self._cursor = batch.cursor

    async def _batches(self) -> AsyncIterator[tuple[Cursor, Batch]]:
        """Read on and on; each batch with the place that it stands behind."""
        cursor = await self._start()
        pause = 0.05
        while True:
            try:
                batch = await self._stream.read(cursor, _PAGE)
                if not batch.entries and not batch.missed:
                    self._cursor = cursor = batch.cursor
                    await self._stream.wait(cursor, _BLOCK)
                    pause = 0.05
                    continue
            except (ConnectionFailed, ServerRefused) as error:
                logger.warning("events of %s cannot be read: %s; trying again", self._qualified, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            pause = 0.05
            if batch.missed:
                logger.warning("events of %s behind %s were trimmed unread", self._qualified, cursor.id)
            yield cursor, batch
            cursor = batch.cursor

    async def first(
        self, kind: type[E], *, job_id: str | None = None, timeout: float | timedelta | None = None
    ) -> E:
        """Read on to the first event of a kind, which may be any subclass of it.

        Args:
            kind: E.g. `toril.events.Completed`.
            job_id: The job that it must be about; None for any.
            timeout: Seconds, or None to wait without limit.

        Raises:
            EventsLost: events were trimmed unread; the one that is awaited may be among them.
            TimeoutError: there was none in time.
        """
        limit = None if timeout is None else seconds(timeout, "timeout")
        async with asyncio.timeout(limit):
            async for event in self:
                if isinstance(event, kind) and job_id in (None, event.job_id):
                    return event
                if isinstance(event, EventsMissed):
                    raise EventsLost(f"events of {self._qualified} behind {event.cursor} were trimmed unread")
        raise AssertionError("the stream of events has no end")

    async def until(
        self, check: Callable[[], Awaitable[T | None]], *, timeout: float | timedelta | None = None
    ) -> T:
        """Look at something now, and again when events have come, until it is there.

        `await events.until(lambda: queue.get_job("welcome-u1"))`. The place in the stream is fixed
        before the first look, so that no change between a look and the next event is missed.

        Args:
            check: What to look at; None or False is not there yet.
            timeout: Seconds, or None to wait without limit.

        Raises:
            TimeoutError: it was not there in time.
        """
        limit = None if timeout is None else seconds(timeout, "timeout")
        async with asyncio.timeout(limit):
            await self._start()
            found = await check()
            if found is not None and found is not False:
                return found
            async for _, batch in self._batches():
                self._cursor = batch.cursor
                found = await check()
                if found is not None and found is not False:
                    return found
        raise AssertionError("the stream of events has no end")

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
