"""The outbox: jobs leave when their transaction commits, each once, whatever crashes between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import toril
from insightdesk.embedded import postgres
from toril import outbox


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("outbox")
    with postgres(folder) as url:
        yield url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    async with made.begin() as connection:
        await connection.run_sync(_table().metadata.create_all)
    yield made
    await made.dispose()


def _table() -> sa.Table:
    return outbox.outbox_table(sa.MetaData())


async def test_jobs_leave_at_commit_and_only_then(engine: AsyncEngine, queue: toril.Queue) -> None:
    relay = outbox.OutboxRelay(engine, url=queue.url)
    async with engine.connect() as connection:
        await outbox.enqueue(connection, queue.name, toril.NewJob("no", {}))
        await connection.rollback()
        (job_id,) = await outbox.enqueue(
            connection, queue.name, toril.NewJob("yes", {"a": 1}, priority=3, attempts=4)
        )
        assert await relay.run_once() == 0
        await connection.commit()
    assert await relay.run_once() == 1
    job = await queue.get_job(job_id)
    assert job is not None
    assert (job.name, job.data, job.priority, job.options.attempts) == ("yes", {"a": 1}, 3, 4)
    assert (await queue.get_job_counts())["prioritized"] == 1
    await relay.close()


async def test_a_crash_between_add_and_commit_makes_no_second_job(
    engine: AsyncEngine, queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine.begin() as connection:
        await outbox.enqueue(connection, queue.name, *(toril.NewJob("x", i) for i in range(7)))
    relay = outbox.OutboxRelay(engine, url=queue.url)

    plain = toril.Queue.add_many

    async def crash(self: toril.Queue, jobs: Sequence[toril.NewJob]) -> list[toril.Job]:
        await plain(self, jobs)
        raise RuntimeError("crashed")

    with monkeypatch.context() as patch:
        patch.setattr(toril.Queue, "add_many", crash)
        with pytest.raises(RuntimeError, match="crashed"):
            await relay.run_once()
    assert (await queue.get_job_counts())["waiting"] == 7
    assert await relay.run_once() == 7
    assert (await queue.get_job_counts())["waiting"] == 7
    await relay.close()


async def test_two_relays_share_the_rows(engine: AsyncEngine, queue: toril.Queue) -> None:
    count = 300
    async with engine.begin() as connection:
        await outbox.enqueue(connection, queue.name, *(toril.NewJob("x", i) for i in range(count)))
    relays = [outbox.OutboxRelay(engine, url=queue.url, batch=20) for _ in range(2)]
    running = [asyncio.create_task(relay.run()) for relay in relays]
    async with asyncio.timeout(20):
        while (await queue.get_job_counts())["waiting"] < count:
            await asyncio.sleep(0.02)
    for relay in relays:
        relay.stop()
    await asyncio.gather(*running)
    jobs = await queue.get_jobs("waiting", 0, count)
    assert sorted(job.data for job in jobs) == list(range(count))


async def test_rows_wait_while_the_server_is_away(engine: AsyncEngine, tmp_path: Path) -> None:
    with toril.EmbeddedServer(tmp_path, appendonly="always") as server:
        server.kill()
        async with engine.begin() as connection:
            (job_id,) = await outbox.enqueue(connection, "away", toril.NewJob("x"))
        relay = outbox.OutboxRelay(engine, url=server.url)
        running = asyncio.create_task(relay.run())
        server.restart()
        async with toril.Queue("away", server.url) as queue, asyncio.timeout(20):
            while await queue.get_job(job_id) is None:
                await asyncio.sleep(0.05)
        relay.stop()
        await running


async def test_a_delay_counts_from_the_commit(engine: AsyncEngine, queue: toril.Queue) -> None:
    async with engine.begin() as connection:
        (job_id,) = await outbox.enqueue(connection, queue.name, toril.NewJob("x", delay=60))
    await asyncio.sleep(0.2)
    relay = outbox.OutboxRelay(engine, url=queue.url)
    assert await relay.run_once() == 1
    await relay.close()
    job = await queue.get_job(job_id)
    assert job is not None
    assert 50 < job.delay < 59.9
