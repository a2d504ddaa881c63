"""One real Valkey a session; a queue of its own for each test. Nothing is ever flushed."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

import toril
from toril.worker.routes import Handler

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with toril.embedded() as url:
        yield url


@pytest.fixture
def queue_name(request: pytest.FixtureRequest) -> str:
    return f"{request.node.originalname}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def queue(valkey_url: str, queue_name: str) -> AsyncIterator[toril.Queue]:
    async with toril.Queue(queue_name, valkey_url) as made:
        yield made


@pytest.fixture
def running(valkey_url: str, queue_name: str) -> Running:
    """Run a worker of the test's queue while a block runs: `async with running(handler, **options)`."""

    @contextlib.asynccontextmanager
    async def run(handler: Handler, **options: object) -> AsyncIterator[toril.Worker]:
        worker = toril.Worker(queue_name, handler, url=valkey_url, **options)  # type: ignore[arg-type]
        task = asyncio.create_task(worker.run(handle_signals=False))
        try:
            yield worker
        finally:
            worker.stop()
            await task

    return run
