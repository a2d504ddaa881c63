"""toril: uvloop, the plain `Queue` and `Worker`."""

from __future__ import annotations

import asyncio

import uvloop

import toril

from .common import KEEP_SECONDS, Order, Payload
from .coroutines import drive
from .ledger import Ledger

KEEP = toril.Keep(age=KEEP_SECONDS)


class Toril:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        self.queue = toril.Queue(given.queue, given.url)

    async def open(self) -> None:
        """Nothing: the first call connects."""

    async def add(self, data: Payload) -> object:
        """One job."""
        return await self.queue.add("x", data, keep_completed=KEEP)

    async def add_bulk(self, many: list[Payload]) -> object:
        """`add_many` cuts them into calls itself."""
        return await self.queue.add_many([toril.NewJob("x", data, keep_completed=KEEP) for data in many])

    async def work(self, ledger: Ledger) -> None:
        """One worker in this process."""

        async def handler(job: toril.Job) -> object:
            return await ledger.run(job.data)

        worker = toril.Worker(
            self.given.queue, handler, url=self.given.url, concurrency=self.given.concurrency
        )
        running = asyncio.create_task(worker.run(handle_signals=False))
        await ledger.wait()
        worker.stop()
        await running

    async def left(self) -> int:
        """What waits or runs."""
        counts = await self.queue.get_job_counts()
        return counts["waiting"] + counts["active"]

    async def close(self) -> None:
        """Disconnect."""
        await self.queue.close()


if __name__ == "__main__":
    drive(Toril, uvloop.run)
