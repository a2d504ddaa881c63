"""procrastinate: psycopg's pool, batch_defer_async, a worker of the given concurrency; keeps all jobs."""

from __future__ import annotations

import asyncio

import procrastinate

from .common import Order, Payload
from .coroutines import drive, emptied
from .ledger import Ledger

CHUNK = 500


class Procrastinate:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        self.ledger: Ledger | None = None
        connector = procrastinate.PsycopgConnector(conninfo=given.address, min_size=1, max_size=20)
        self.app = procrastinate.App(connector=connector)

        @self.app.task(name="handle", queue=given.queue)
        async def handle(data: Payload) -> str:
            assert self.ledger is not None
            return await self.ledger.run(data)

        self.handle = handle

    async def open(self) -> None:
        """Connect, and make the tables in a database that has none."""
        await self.app.open_async()
        there = await self.app.connector.execute_query_one_async(
            "SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS yes"
        )
        if not there["yes"]:
            await self.app.schema_manager.apply_schema_async()

    async def add(self, data: Payload) -> object:
        """One job."""
        return await self.handle.defer_async(data=data)

    async def add_bulk(self, many: list[Payload]) -> object:
        """In batches."""
        for first in range(0, len(many), CHUNK):
            await self.handle.batch_defer_async(*[{"data": data} for data in many[first : first + CHUNK]])
        return None

    async def work(self, ledger: Ledger) -> None:
        """One worker in this process."""
        self.ledger = ledger
        running = asyncio.ensure_future(
            self.app.run_worker_async(
                queues=[self.given.queue],
                concurrency=self.given.concurrency,
                install_signal_handlers=False,
            )
        )
        await ledger.wait()
        await emptied(self.left)
        running.cancel()
        await asyncio.wait([running])

    async def left(self) -> int:
        """What waits or runs."""
        row = await self.app.connector.execute_query_one_async(
            "SELECT count(*) AS number FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        )
        return int(row["number"])

    async def close(self) -> None:
        """Disconnect."""
        await self.app.close_async()


if __name__ == "__main__":
    drive(Procrastinate)
