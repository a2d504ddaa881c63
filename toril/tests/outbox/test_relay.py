"""The outbox: jobs leave when their transaction commits, each once, whatever fails between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

import toril
from toril import outbox
from toril.storage.jobs import JobStore

Enqueue = Callable[..., Awaitable[list[str]]]


async def rows_left(engine: AsyncEngine, table: sa.Table) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_jobs_leave_at_commit_and_only_then(
    engine: AsyncEngine, table: sa.Table, relay: outbox.OutboxRelay, queue: toril.Queue
) -> None:
    async with engine.connect() as connection:
        await outbox.enqueue(connection, queue.name, toril.NewJob("no", {}), table=table)
        await connection.rollback()
        new = toril.NewJob("yes", {"a": 1}, priority=3, attempts=4)
        (job_id,) = await outbox.enqueue(connection, queue.name, new, table=table)
        assert await relay.run_once() == 0
        await connection.commit()
    assert await relay.run_once() == 1
    job = await queue.get_job(job_id)
    assert job is not None
    assert (job.name, job.data, job.priority, job.options.attempts) == ("yes", {"a": 1}, 3, 4)
    assert job.options.job_id == job_id
    assert (await queue.get_job_counts())["prioritized"] == 1


async def test_a_job_that_has_an_id_keeps_it(
    enqueue: Enqueue, relay: outbox.OutboxRelay, queue: toril.Queue
) -> None:
    same = [toril.NewJob("x", number, job_id="mine") for number in range(2)]
    assert await enqueue(*same, toril.NewJob("x", 2)) != ["mine"] * 3
    assert await relay.run_once() == 3
    job = await queue.get_job("mine")
    assert job is not None
    assert (job.data, job.options.job_id) == (0, "mine")
    assert (await queue.get_job_counts())["waiting"] == 2


async def test_a_crash_between_add_and_commit_makes_no_second_job(
    enqueue: Enqueue, relay: outbox.OutboxRelay, queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enqueue(*(toril.NewJob("x", i) for i in range(7)))
    plain = JobStore.add

    async def crash(self: JobStore, jobs: list[Any]) -> Any:
        await plain(self, jobs)
        raise RuntimeError("crashed")

    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "add", crash)
        with pytest.raises(RuntimeError, match="crashed"):
            await relay.run_once()
    assert (await queue.get_job_counts())["waiting"] == 7
    assert await relay.run_once() == 7
    assert (await queue.get_job_counts())["waiting"] == 7


async def test_two_relays_share_the_rows(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue, queue: toril.Queue
) -> None:
    count = 300
    await enqueue(*(toril.NewJob("x", i) for i in range(count)))
    relays = [outbox.OutboxRelay(engine, url=queue.url, batch=20, table=table) for _ in range(2)]
    running = [asyncio.create_task(relay.run()) for relay in relays]

    async def arrived() -> bool:
        return (await queue.get_job_counts())["waiting"] == count

    await until(arrived)
    for relay in relays:
        relay.stop()
    await asyncio.gather(*running)
    jobs = await queue.get_jobs("waiting", 0, count)
    assert sorted(job.data for job in jobs) == list(range(count))


async def test_many_rows_keep_their_order_in_each_queue(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue, queue: toril.Queue
) -> None:
    count = 600
    async with toril.Queue(f"{queue.name}-2", queue.url) as second:
        for first in range(0, count, 15):
            for name in (queue.name, second.name):
                await enqueue(*(toril.NewJob("x", i) for i in range(first, first + 15)), to=name)
        relay = outbox.OutboxRelay(engine, url=queue.url, batch=20, table=table)
        running = asyncio.create_task(relay.run())

        async def left() -> bool:
            return await rows_left(engine, table) == 0

        await until(left)
        relay.stop()
        await running
        for each in (queue, second):
            jobs = await each.get_jobs("waiting", 0, 999, ascending=True)
            assert [job.data for job in jobs] == list(range(count))


@pytest.mark.parametrize("after", ["before the add", "after the add"])
async def test_a_batch_that_fails_beside_another_leaves_one_job_for_each_row(
    engine: AsyncEngine,
    table: sa.Table,
    enqueue: Enqueue,
    queue: toril.Queue,
    monkeypatch: pytest.MonkeyPatch,
    after: str,
) -> None:
    count = 500
    await enqueue(*(toril.NewJob("x", i) for i in range(count)))
    plain = JobStore.add
    calls = 0

    async def sometimes(self: JobStore, jobs: list[Any]) -> Any:
        nonlocal calls
        calls += 1
        fails = calls % 3 == 0
        if fails and after == "before the add":
            raise toril.ConnectionFailed("refused")
        added = await plain(self, jobs)
        if fails:
            raise toril.ConnectionFailed("the answer was lost", undecided=True)
        return added

    monkeypatch.setattr(JobStore, "add", sometimes)
    relay = outbox.OutboxRelay(engine, url=queue.url, batch=50, table=table)
    running = asyncio.create_task(relay.run())

    async def left() -> bool:
        return await rows_left(engine, table) == 0

    await until(left)
    relay.stop()
    await running
    jobs = await queue.get_jobs("waiting", 0, 999)
    assert sorted(job.data for job in jobs) == list(range(count))


async def test_rows_wait_while_the_server_is_away(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue, tmp_path: Path
) -> None:
    with toril.EmbeddedServer(tmp_path, appendonly="always") as server:
        server.kill()
        (job_id,) = await enqueue(toril.NewJob("x"), to="away")
        relay = outbox.OutboxRelay(engine, url=server.url, table=table)
        running = asyncio.create_task(relay.run())
        server.restart()
        async with toril.Queue("away", server.url) as queue:

            async def arrived() -> bool:
                return await queue.get_job(job_id) is not None

            await until(arrived)
        relay.stop()
        await running


async def test_rows_that_are_no_jobs_stay_and_harm_no_neighbour(
    engine: AsyncEngine,
    table: sa.Table,
    enqueue: Enqueue,
    queue: toril.Queue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad: list[dict[str, Any]] = [
        {"id": "ob-1", "queue": "a:b"},
        {"id": "ob-2", "name": ""},
        {"id": "ob-3", "options": []},
        {"id": "ob-4", "options": {"attempts": "many"}},
        {"id": "ob-5", "options": {"jobId": "12"}},
        {"id": "12"},
    ]
    plain = {"queue": queue.name, "name": "x", "data": {}, "options": {}}
    async with engine.begin() as connection:
        await connection.execute(sa.insert(table), [plain | row for row in bad])
    ids = await enqueue(*(toril.NewJob("x", i) for i in range(30)))
    relay = outbox.OutboxRelay(engine, url=queue.url, batch=10, table=table)
    running = asyncio.create_task(relay.run())

    async def left() -> bool:
        return await rows_left(engine, table) == len(bad)

    with caplog.at_level(logging.ERROR, "toril"):
        await until(left)
    assert not running.done()
    relay.stop()
    await running
    assert sorted(job.id for job in await queue.get_jobs("waiting", 0, 100)) == sorted(ids)
    told = sorted(record.args[0] for record in caplog.records if isinstance(record.args, tuple))
    assert told == sorted(row["id"] for row in bad)


async def test_rows_stay_until_enough_replicas_have_their_jobs(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue, queue: toril.Queue
) -> None:
    await enqueue(toril.NewJob("x"))
    relay = outbox.OutboxRelay(engine, url=f"{queue.url}?replicas=1&replicas_timeout=0.02", table=table)
    with pytest.raises(toril.NotReplicated):
        await relay.run_once()
    assert await rows_left(engine, table) == 1
    assert (await queue.get_job_counts())["waiting"] == 1
    running = asyncio.create_task(relay.run())
    await asyncio.wait([running], timeout=0.5)
    assert not running.done()
    relay.stop()
    await running
    assert (await queue.get_job_counts())["waiting"] == 1


async def test_a_delay_and_a_deadline_count_from_the_commit(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue, relay: outbox.OutboxRelay, queue: toril.Queue
) -> None:
    delayed, timely, late = await enqueue(
        toril.NewJob("x", delay=60), toril.NewJob("x", deadline=60), toril.NewJob("x", deadline=5)
    )
    async with engine.begin() as connection:
        ago = sa.func.clock_timestamp() - sa.text("interval '10 seconds'")
        await connection.execute(sa.update(table).values(created_at=ago))
    assert await relay.run_once() == 3
    jobs = [await queue.get_job(job_id) for job_id in (delayed, timely, late)]
    seconds = [job.delay or job.options.deadline for job in jobs if job]
    assert seconds == pytest.approx([50, 50, 0], abs=3)


async def test_a_table_with_binary_json_serves_too(engine: AsyncEngine, queue: toril.Queue) -> None:
    table = outbox.outbox_table(sa.MetaData(), "outbox_jsonb")
    for column in ("data", "options"):
        table.c[column].type = JSONB()
    async with engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
        new = toril.NewJob("x", {"a": [1]}, attempts=3)
        (job_id,) = await outbox.enqueue(connection, queue.name, new, table=table)
    relay = outbox.OutboxRelay(engine, url=queue.url, table=table)
    assert await relay.run_once() == 1
    await relay.close()
    job = await queue.get_job(job_id)
    assert job is not None
    assert (job.data, job.options.attempts) == ({"a": [1]}, 3)
