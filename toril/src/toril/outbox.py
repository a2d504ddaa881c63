"""Transactional enqueue on PostgreSQL (extra: toril[outbox]).

Jobs are written to a table in the caller's own transaction; a relay moves committed rows to the
server. A job's id is its row's id, so a row that was sent twice is still one job.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from datetime import timedelta
from typing import Any, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import Executable

from .codec import decode_json, decode_options, encode_json, encode_options
from .errors import ConnectionFailed, ServerRefused
from .job import NewJob
from .queue import Queue
from .storage.address import server_url

logger = logging.getLogger("toril")

CHANNEL = "toril_outbox"
"""The channel that tells relays of a commit."""


class Executor(Protocol):
    """An `AsyncConnection` or `AsyncSession`, inside a transaction."""

    async def execute(self, statement: Executable, params: Any = None, /) -> Any: ...


def outbox_table(metadata: sa.MetaData, name: str = "toril_outbox") -> sa.Table:
    """Return the outbox's table, to be put into an application's own migrations."""
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("options", JSONB, nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
    )


_TABLE = outbox_table(sa.MetaData())


def _row_id() -> str:
    # Time first, so that rows leave in the order of their making and inserts stay at the index's end.
    return f"ob-{time.time_ns() // 1_000_000:013x}-{os.urandom(10).hex()}"


async def enqueue(connection: Executor, queue: str, *jobs: NewJob, table: sa.Table = _TABLE) -> list[str]:
    """Write jobs in the caller's transaction; they leave when it commits. Returns their ids.

    A delay counts from now on, not from when the relay gets to the row.

    Raises:
        InvalidPayload: a job's data cannot be written as JSON.
    """
    rows = [
        {
            "id": _row_id(),
            "queue": queue,
            "name": job.name,
            "data": decode_json(encode_json(job.data, f"data of job {job.name!r}").encode(), "data"),
            "options": decode_json(encode_options(job.options).encode(), "options"),
        }
        for job in jobs
    ]
    if rows:
        await connection.execute(sa.insert(table), rows)
        await connection.execute(sa.text(f"NOTIFY {CHANNEL}"))
    return [row["options"].get("jobId") or row["id"] for row in rows]


class OutboxRelay:
    """Moves committed rows to the server. Many may run at once.

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
        table: sa.Table = _TABLE,
    ) -> None:
        self._engine = engine
        self._url = server_url(url)
        self._prefix = prefix
        self._batch = batch
        self._interval = interval
        self._table = table
        self._queues: dict[str, Queue] = {}
        self._stopping = asyncio.Event()
        self._told = asyncio.Event()

    async def run_once(self) -> int:
        """Move one batch; returns how many rows left.

        The transaction that deletes the rows commits after their jobs were added. A crash between the
        two adds them again under the same ids: each is still one job.

        Raises:
            ConnectionFailed: the server cannot be reached; the rows stay.
            ServerRefused: the server refuses; the rows stay.
        """
        table = self._table
        age = (sa.func.extract("epoch", sa.func.clock_timestamp() - table.c.created_at)).label("age")
        oldest = sa.select(table.c.id).order_by(table.c.id).limit(self._batch)
        picked = oldest.with_for_update(skip_locked=True).cte("picked")
        take = sa.delete(table).where(table.c.id == picked.c.id).returning(table, age)
        async with self._engine.begin() as connection:
            rows = sorted((await connection.execute(take)).mappings(), key=lambda row: row["id"])
            by_queue: dict[str, list[NewJob]] = {}
            for row in rows:
                by_queue.setdefault(row["queue"], []).append(_job(row))
            for name, jobs in by_queue.items():
                if name not in self._queues:
                    self._queues[name] = Queue(name, self._url, prefix=self._prefix)
                await self._queues[name].add_many(jobs)
        return len(rows)

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
                    while await self.run_once() == self._batch and not self._stopping.is_set():
                        pass
                    pause = 0.1
                    wait = self._interval
                except (ConnectionFailed, ServerRefused, sa.exc.DBAPIError, OSError) as error:
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
            except (sa.exc.DBAPIError, OSError) as error:
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


def _job(row: sa.RowMapping) -> NewJob:
    options = decode_options(encode_json(row["options"], "options").encode())
    keywords = {name: getattr(options, name) for name in options.__slots__}
    keywords["job_id"] = options.job_id or row["id"]
    left = timedelta(seconds=options.delay) - timedelta(seconds=float(row["age"]))
    keywords["delay"] = max(left.total_seconds(), 0.0)
    return NewJob(row["name"], row["data"], **keywords)
