"""arq: uvloop, hiredis, a worker of max_jobs; it has no way to add many in one call."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop
from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker

from .common import KEEP_SECONDS, TOGETHER, Order, Payload
from .coroutines import drive, emptied
from .ledger import Ledger

POLL_DELAY = 0.01
"""Its default of 0.5 s would starve a worker of few slots, which starts no more than these a poll."""


class Arq:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        self.settings = RedisSettings(port=given.port)

    async def open(self) -> None:
        """Connect."""
        self.pool = await create_pool(self.settings, default_queue_name=self.given.queue)

    async def add(self, data: Payload) -> object:
        """One job."""
        return await self.pool.enqueue_job("handle", data)

    async def add_bulk(self, many: list[Payload]) -> object:
        """One by one, some at once."""
        for first in range(0, len(many), TOGETHER):
            await asyncio.gather(*[self.add(data) for data in many[first : first + TOGETHER]])
        return None

    async def work(self, ledger: Ledger) -> None:
        """One worker in this process."""

        async def handle(context: dict[str, Any], data: Payload) -> str:
            return await ledger.run(data)

        worker = Worker(
            functions=[func(handle, name="handle")],
            queue_name=self.given.queue,
            redis_settings=self.settings,
            max_jobs=self.given.concurrency,
            poll_delay=POLL_DELAY,
            keep_result=KEEP_SECONDS,
            handle_signals=False,
            log_results=False,
        )
        running = asyncio.ensure_future(worker.async_run())
        await ledger.wait()
        await emptied(self.left)
        running.cancel()
        await asyncio.wait([running])
        await worker.close()

    async def left(self) -> int:
        """What waits or runs: a job leaves the set when it is done."""
        return int(await self.pool.zcard(self.given.queue))

    async def close(self) -> None:
        """Disconnect."""
        await self.pool.aclose()


if __name__ == "__main__":
    drive(Arq, uvloop.run)
