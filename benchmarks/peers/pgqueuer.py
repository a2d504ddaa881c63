"""pgqueuer: asyncpg, uvloop, batched enqueue, a manager of the given concurrency; it keeps no results."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from .common import Order, Payload
from .coroutines import drive, emptied
from .ledger import Ledger

CHUNK = 500
NAME = "handle"


class Pgqueuer:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given

    async def open(self) -> None:
        """Connect, and make the tables in a database that has none."""
        self.pool = await asyncpg.create_pool(self.given.address, min_size=2, max_size=20)
        self.queries = Queries(AsyncpgPoolDriver(self.pool))
        if not await self.queries.schema_is_installed():
            await self.queries.install()

    async def add(self, data: Payload) -> object:
        """One job."""
        return await self.queries.enqueue(NAME, json.dumps(data).encode())

    async def add_bulk(self, many: list[Payload]) -> object:
        """In batches."""
        for first in range(0, len(many), CHUNK):
            some: list[bytes | None] = [json.dumps(data).encode() for data in many[first : first + CHUNK]]
            await self.queries.enqueue([NAME] * len(some), some, [0] * len(some))
        return None

    async def work(self, ledger: Ledger) -> None:
        """One manager in this process."""
        concurrency = self.given.concurrency
        connection = await asyncpg.connect(self.given.address)
        manager = PgQueuer(AsyncpgDriver(connection))

        @manager.entrypoint(NAME, concurrency_limit=1 if concurrency == 1 else 0)
        async def handle(job: Job) -> None:
            await ledger.run(json.loads(job.payload or b""))

        running = asyncio.ensure_future(
            manager.run(
                dequeue_timeout=timedelta(seconds=30),
                batch_size=max(1, concurrency // 2),
                max_concurrent_tasks=max(2, concurrency),
            )
        )
        await ledger.wait()
        await emptied(self.left)
        manager.shutdown.set()
        await asyncio.wait([running], timeout=5.0)
        await connection.close()

    async def left(self) -> int:
        """What waits or runs."""
        return sum(row.count for row in await self.queries.queue_size())

    async def close(self) -> None:
        """Disconnect."""
        await self.pool.close()


if __name__ == "__main__":
    drive(Pgqueuer, uvloop.run)
