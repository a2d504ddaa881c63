"""streaq: uvloop, enqueue_many, a worker of the given concurrency."""

from __future__ import annotations

import asyncio

import uvloop
from streaq import Worker

from .common import KEEP_SECONDS, Order, Payload
from .coroutines import drive, emptied
from .ledger import Ledger

CHUNK = 500


class Streaq:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        self.ledger: Ledger | None = None
        self.producer = self._worker()

    def _worker(self) -> Worker[None]:
        worker: Worker[None] = Worker(
            redis_url=self.given.url,
            queue_name=self.given.queue,
            concurrency=self.given.concurrency,
            handle_signals=False,
        )

        @worker.task(ttl=KEEP_SECONDS, name="handle")
        async def handle(data: Payload) -> str:
            assert self.ledger is not None
            return await self.ledger.run(data)

        self.task = handle
        return worker

    async def open(self) -> None:
        """Connect."""
        await self.producer.__aenter__()
        self.handle = self.task

    async def add(self, data: Payload) -> object:
        """One job."""
        return await self.handle.enqueue(data)

    async def add_bulk(self, many: list[Payload]) -> object:
        """In pipelines."""
        for first in range(0, len(many), CHUNK):
            some = [self.handle.enqueue(data) for data in many[first : first + CHUNK]]
            await self.producer.enqueue_many(some)
        return None

    async def work(self, ledger: Ledger) -> None:
        """One worker in this process, beside the one that adds."""
        self.ledger = ledger
        running = asyncio.ensure_future(self._worker().run_async())
        await ledger.wait()
        await emptied(self.left)
        running.cancel()
        await asyncio.wait([running])

    async def left(self) -> int:
        """What waits or runs: a task leaves the stream when it is done."""
        return int(await self.producer.queue_size())

    async def close(self) -> None:
        """Disconnect."""
        await self.producer.__aexit__(None, None, None)


if __name__ == "__main__":
    drive(Streaq, uvloop.run)
