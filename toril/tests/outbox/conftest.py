"""One real PostgreSQL for these tests; a table and a queue of its own for each."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import toril
from insightdesk.embedded import postgres
from toril import outbox


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    # Not below pytest's folder: each pytest that starts closes it to the account that PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="toril-outbox-") as folder, postgres(Path(folder)) as url:
        yield url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    yield made
    await made.dispose()


@pytest.fixture
async def table(engine: AsyncEngine) -> sa.Table:
    made = outbox.outbox_table(sa.MetaData(), f"outbox_{uuid.uuid4().hex}")
    async with engine.begin() as connection:
        await connection.run_sync(made.metadata.create_all)
    return made


@pytest.fixture
async def relay(
    engine: AsyncEngine, table: sa.Table, queue: toril.Queue
) -> AsyncIterator[outbox.OutboxRelay]:
    made = outbox.OutboxRelay(engine, url=queue.url, table=table)
    yield made
    await made.close()


Enqueue = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def enqueue(engine: AsyncEngine, table: sa.Table, queue: toril.Queue) -> Enqueue:
    """Write jobs into the outbox of the test's queue and commit; returns their ids."""

    async def write(*jobs: toril.NewJob, to: str = queue.name) -> list[str]:
        async with engine.begin() as connection:
            return await outbox.enqueue(connection, to, *jobs, table=table)

    return write
