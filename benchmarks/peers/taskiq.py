"""taskiq on a list or on a stream, by this process's module name: uvloop, a result backend, a receiver."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from taskiq import AsyncBroker
from taskiq.receiver import Receiver
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from .common import KEEP_SECONDS, TOGETHER, Order, Payload
from .coroutines import emptied
from .ledger import Ledger


class Taskiq:
    """Either side."""

    def __init__(self, given: Order, broker: AsyncBroker) -> None:
        self.given = given
        self.ledger: Ledger | None = None
        self.client = Redis.from_url(given.url)
        results: Any = RedisAsyncResultBackend(given.url, result_ex_time=KEEP_SECONDS)
        self.broker = broker.with_result_backend(results)

        @self.broker.task(task_name="handle")
        async def handle(data: dict[str, Any]) -> str:
            assert self.ledger is not None
            return await self.ledger.run(data)

        self.handle = handle

    async def open(self) -> None:
        """Connect."""
        await self.broker.startup()

    async def add(self, data: Payload) -> object:
        """One job."""
        return await self.handle.kiq(data)

    async def add_bulk(self, many: list[Payload]) -> object:
        """One by one, some at once."""
        for first in range(0, len(many), TOGETHER):
            await asyncio.gather(*[self.add(data) for data in many[first : first + TOGETHER]])
        return None

    async def work(self, ledger: Ledger) -> None:
        """One receiver in this process: it is what `taskiq worker` runs."""
        self.ledger = ledger
        self.broker.is_worker_process = True
        receiver = Receiver(self.broker, max_async_tasks=self.given.concurrency, run_startup=False)
        finish = asyncio.Event()
        running = asyncio.ensure_future(receiver.listen(finish))
        await ledger.wait()
        await emptied(self.left)
        finish.set()
        await asyncio.wait([running], timeout=3.0)  # a blocked read ends no sooner than it likes
        running.cancel()
        await asyncio.wait([running])

    async def left(self) -> int:
        """What waits or runs."""
        raise NotImplementedError

    async def close(self) -> None:
        """Disconnect."""
        await self.broker.shutdown()
        await self.client.aclose()


class OnList(Taskiq):
    """On a list: a job is lost with the process that has popped it."""

    def __init__(self, given: Order) -> None:
        super().__init__(given, ListQueueBroker(given.url, queue_name=given.queue, socket_timeout=None))

    async def left(self) -> int:
        """What waits."""
        return int(await self.client.llen(self.given.queue))


class OnStream(Taskiq):
    """On a stream: acknowledged when the result is saved."""

    def __init__(self, given: Order) -> None:
        super().__init__(given, RedisStreamBroker(given.url, queue_name=given.queue, socket_timeout=None))

    async def left(self) -> int:
        """What the group has not read, or not acknowledged."""
        (group,) = await self.client.xinfo_groups(self.given.queue)
        return int(group["pending"] + group["lag"])
