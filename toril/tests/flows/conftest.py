"""A parent's queue, a children's queue, and workers on both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

import toril

Handler = Callable[[toril.Job], object]
Working = Callable[..., contextlib.AbstractAsyncContextManager[None]]


@pytest.fixture
async def below(valkey_url: str, queue_name: str) -> AsyncIterator[toril.Queue]:
    """The queue of the children."""
    async with toril.Queue(f"{queue_name}-below", valkey_url) as made:
        yield made


@pytest.fixture
async def flows(valkey_url: str) -> AsyncIterator[toril.FlowProducer]:
    async with toril.FlowProducer(valkey_url) as made:
        yield made


@pytest.fixture
def working() -> Working:
    @contextlib.asynccontextmanager
    async def work(handler: Handler, *queues: toril.Queue, concurrency: int = 20) -> AsyncIterator[None]:
        workers = [
            toril.Worker(queue.name, handler, url=queue.url, concurrency=concurrency) for queue in queues
        ]
        tasks = [asyncio.create_task(worker.run(handle_signals=False)) for worker in workers]
        try:
            yield
        finally:
            for worker in workers:
                worker.stop()
            await asyncio.gather(*tasks)

    return work
