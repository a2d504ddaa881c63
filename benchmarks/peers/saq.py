"""saq: uvloop, hiredis, a worker of the given concurrency; it has no way to add many in one call."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop
from redis.asyncio import Redis
from saq import Worker
from saq.queue.redis import RedisQueue

from .common import CONNECTIONS, KEEP_SECONDS, TOGETHER, Order, Payload
from .coroutines import drive, emptied
from .ledger import Ledger


class Saq:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        client = Redis.from_url(given.url, max_connections=CONNECTIONS)
        self.queue = RedisQueue(client, name=given.queue)

    async def open(self) -> None:
        """Connect."""
        await self.queue.connect()

    async def add(self, data: Payload) -> object:
        """One job."""
        return await self.queue.enqueue("handle", data=data, ttl=KEEP_SECONDS)

    async def add_bulk(self, many: list[Payload]) -> object:
        """One by one, some at once."""
        for first in range(0, len(many), TOGETHER):
            await asyncio.gather(*[self.add(data) for data in many[first : first + TOGETHER]])
        return None

    async def work(self, ledger: Ledger) -> None:
        """One worker in this process."""

        async def handle(context: dict[str, Any], *, data: Payload) -> str:
            return await ledger.run(data)

        worker: Worker[Any] = Worker(
            self.queue, functions=[("handle", handle)], concurrency=self.given.concurrency
        )
        running = asyncio.ensure_future(worker.start())
        await ledger.wait()
        await emptied(self.left)
        worker.event.set()
        await running

    async def left(self) -> int:
        """What waits or runs."""
        return int(await self.queue.count("incomplete"))

    async def close(self) -> None:
        """Disconnect."""
        await self.queue.disconnect()


if __name__ == "__main__":
    drive(Saq, uvloop.run)
