"""Moves committed rows to the server."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..codec import AddArguments
from ..errors import InvalidOption, InvalidPayload, TorilError
from ..queue import Queue
from ..queue.gathered import CHUNK
from ..storage.address import server_url
from .rows import Row, arguments, take
from .table import CHANNEL, TABLE

logger = logging.getLogger("toril")

LANES = 2
"""Batches under way at once: one is taken from the table while the one before it is being added."""

_DATABASE_TROUBLE = (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError)


class _Unreadable(Exception):
    """Some rows of a batch are no jobs: it is taken anew without them."""


class OutboxRelay:
    """Moves committed rows to the server, in the order of their making. Many may run at once.

    Two batches are under way at once when there are many rows. Faults, and further relays, may let rows
    overtake others. A row that is no job, which `enqueue` does not write, is told in the log and left where
    it is until the next relay looks at it.

    Args:
        engine: The database.
        url: The server; by default TORIL_URL, else the local one.
        prefix: What all keys begin with.
        batch: Rows of one transaction.
        interval: Seconds between two looks when no commit was told.
        table: The outbox's table.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        url: str | None = None,
        prefix: str = "bull",
        batch: int = 500,
        interval: float = 1.0,
        table: sa.Table = TABLE,
    ) -> None:
        self._engine = engine
        self._url = server_url(url)
        self._prefix = prefix
        self._batch = batch
        self._interval = interval
        self._table = table
        self._queues: dict[str, Queue] = {}
        self._unreadable: set[str] = set()
        self._taking = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._told = asyncio.Event()

    async def run_once(self) -> int:
        """Move one batch; returns how many rows left.

        The transaction that deletes the rows commits after their jobs were added. A crash between the
        two adds them again under the same ids: each is still one job.

        Raises:
            ConnectionFailed: the server cannot be reached; the rows stay.
            ServerRefused: the server refuses; the rows stay.
            NotReplicated: too few replicas have the jobs; the rows stay.
        """
        while True:
            try:
                async with self._engine.begin() as connection:
                    # One at a time takes and then adds, so that rows keep their order.
                    async with self._taking:
                        rows = await take(connection, self._table, self._batch, self._unreadable)
                    await self._add(rows)
                return len(rows)
            except _Unreadable:
                pass

    async def _add(self, rows: list[Row]) -> None:
        by_queue: dict[str, list[AddArguments]] = {}
        unreadable: dict[str, str] = {}
        for row in rows:
            try:
                by_queue.setdefault(row.queue, []).append(arguments(row))
            except (InvalidOption, InvalidPayload) as error:
                unreadable[row.id] = _line(error)
        if unreadable:
            for row_id in unreadable.keys() - self._unreadable:
                logger.error("row %s of the outbox is no job and stays there: %s", row_id, unreadable[row_id])
            self._unreadable |= unreadable.keys()
            raise _Unreadable
        await asyncio.gather(*(self._add_to(name, jobs) for name, jobs in by_queue.items()))

    async def _add_to(self, name: str, jobs: list[AddArguments]) -> None:
        if name not in self._queues:
            self._queues[name] = Queue(name, self._url, prefix=self._prefix)
        for start in range(0, len(jobs), CHUNK):
            await self._queues[name].store.add(jobs[start : start + CHUNK])

    async def close(self) -> None:
        """Close the relay's connections to the server; `run` does so at its end."""
        for queue in self._queues.values():
            await queue.close()
        self._queues.clear()

    async def run(self) -> None:
        """Move rows until `stop`; goes on by itself after either server was gone."""
        listener = asyncio.create_task(self._listen())
        pause = 0.1
        try:
            while not self._stopping.is_set():
                self._told.clear()
                try:
                    await self._move()
                    pause = 0.1
                    wait = self._interval
                except (TorilError, *_DATABASE_TROUBLE) as error:
                    logger.warning(
                        "the outbox cannot be relayed: %s; trying again in %.1f s", _line(error), pause
                    )
                    wait = pause
                    pause = min(pause * 2, 5.0)
                    await self._sleep(wait, self._stopping)
                    continue
                await self._sleep(wait, self._told)
        finally:
            listener.cancel()
            await asyncio.wait([listener])
            await self.close()

    async def _move(self) -> None:
        """Move batches until one is not full."""
        if await self.run_once() < self._batch:
            return
        lanes = [asyncio.create_task(self._move_on()) for _ in range(LANES)]
        try:
            await asyncio.gather(*lanes)
        finally:
            await asyncio.wait(lanes)  # none is left behind when another has failed

    async def _move_on(self) -> None:
        while not self._stopping.is_set() and await self.run_once() == self._batch:
            pass

    def stop(self) -> None:
        """Ask `run` to end after its present batch."""
        self._stopping.set()
        self._told.set()

    async def _sleep(self, seconds: float, event: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass

    async def _listen(self) -> None:
        while True:
            try:
                async with self._engine.connect() as connection:
                    await self._hear(connection)
            except _DATABASE_TROUBLE as error:
                logger.debug("no news of commits: %s; looking every %g s", _line(error), self._interval)
            await asyncio.sleep(self._interval)

    async def _hear(self, connection: AsyncConnection) -> None:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(sa.text(f"LISTEN {CHANNEL}"))
        raw = await connection.get_raw_connection()
        driver = cast("Any", raw.driver_connection)  # psycopg's AsyncConnection
        async for _ in driver.notifies():
            self._told.set()


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
