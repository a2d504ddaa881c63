"""Schedulers under test: workers, a look at their jobs, and time that has passed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

import toril

Working = Callable[..., contextlib.AbstractAsyncContextManager["Runs"]]


def instant(job_id: str) -> int:
    """When a scheduler's job was due, in ms."""
    return int(job_id.rpartition(":")[2])


class Runs:
    """The runs of some workers, in order, and a way to wait for them."""

    def __init__(self) -> None:
        self.jobs: list[toril.Job] = []
        self._news = asyncio.Condition()

    async def handle(self, job: toril.Job) -> None:
        async with self._news:
            self.jobs.append(job)
            self._news.notify_all()

    async def count(self, wanted: int, limit: float = 10.0) -> list[toril.Job]:
        """Wait until there are `wanted` runs."""
        async with asyncio.timeout(limit), self._news:
            await self._news.wait_for(lambda: len(self.jobs) >= wanted)
        return self.jobs

    @property
    def instants(self) -> list[int]:
        return [instant(job.id) for job in self.jobs]


@pytest.fixture
def working(valkey_url: str, queue_name: str) -> Working:
    @contextlib.asynccontextmanager
    async def run(
        count: int = 1, runs: Runs | None = None, interval: float = 30.0, url: str = valkey_url
    ) -> AsyncIterator[Runs]:
        runs = runs or Runs()
        workers = [
            toril.Worker(
                queue_name, runs.handle, url=url, concurrency=5, stalled_interval=interval, lock_duration=1.0
            )
            for _ in range(count)
        ]
        tasks = [asyncio.create_task(worker.run(handle_signals=False)) for worker in workers]
        try:
            yield runs
        finally:
            for worker in workers:
                worker.stop()
            await asyncio.gather(*tasks)

    return run


@dataclass(frozen=True)
class Look:
    """What stands on the server of the schedulers of one queue."""

    queue: toril.Queue

    async def call(self, *command: str | int | float) -> object:
        return await self.queue.store.connection.call(*command)

    async def due(self, scheduler_id: str) -> int:
        score = await self.call("ZSCORE", self.queue.store.keys.repeat, scheduler_id)
        assert isinstance(score, bytes)
        return int(score)

    async def newest(self, scheduler_id: str) -> str:
        return f"repeat:{scheduler_id}:{await self.due(scheduler_id)}"

    async def hash(self, key: str) -> dict[str, str]:
        flat = await self.call("HGETALL", key)
        assert isinstance(flat, list)
        return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}

    async def fields(self, scheduler_id: str) -> dict[str, str]:
        return await self.hash(self.queue.store.keys.scheduler(scheduler_id))

    async def pending(self) -> list[str]:
        """The ids of all jobs that wait in any way."""
        found = []
        for state in ("delayed", "prioritized", "waiting"):
            found += [job.id for job in await self.queue.get_jobs(state, 0, 999)]
        return found

    async def let_pass(self, scheduler_id: str, seconds: float) -> int:
        """As if the newest job had been due so much earlier, and no worker had run; returns when."""
        keys = self.queue.store.keys
        old = await self.newest(scheduler_id)
        due = await self.due(scheduler_id) - round(seconds * 1000)
        new = f"repeat:{scheduler_id}:{due}"
        await self.call("RENAME", keys.job(old), keys.job(new))
        await self.call("ZREM", keys.delayed, old)
        await self.call("LREM", keys.wait, 0, old)
        await self.call("ZADD", keys.delayed, due * 4096, new)
        await self.call("ZADD", keys.repeat, due, scheduler_id)
        return due


@pytest.fixture
def look(queue: toril.Queue) -> Look:
    return Look(queue)
