"""Relays that are killed at any moment: each committed row becomes exactly one job."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

import toril

Enqueue = Callable[..., Awaitable[list[str]]]

ROWS = 12_000
KILLS = 4

RELAY = """
import asyncio, sys
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from toril import outbox

url, database, name = sys.argv[1:]
table = outbox.outbox_table(sa.MetaData(), name)
asyncio.run(outbox.OutboxRelay(create_async_engine(database), url=url, table=table, batch=30).run())
"""


@contextlib.asynccontextmanager
async def relay_process(url: str, database: str, table: sa.Table) -> AsyncIterator[None]:
    """A relay that is killed when the block ends."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", RELAY, url, database, table.name)
    try:
        yield
        assert process.returncode is None, "the relay ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_each_row_becomes_one_job_though_relays_are_killed_all_the_time(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue, queue: toril.Queue
) -> None:
    rng = random.Random(3)
    database = engine.url.render_as_string(hide_password=False)
    for first in range(0, ROWS, 2000):
        await enqueue(*(toril.NewJob("x", i) for i in range(first, first + 2000)))

    async def moved() -> int:
        return (await queue.get_job_counts())["waiting"]

    async def left() -> int:
        async with engine.connect() as connection:
            return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)

    amid = 0
    async with asyncio.timeout(60):
        for kill in range(1, KILLS + 1):
            async with relay_process(queue.url, database, table):
                # Somewhere in its share of the rows.
                until = (kill - rng.random()) * ROWS / (KILLS + 1)
                while await moved() < until:
                    await asyncio.sleep(0.001)
            assert await moved() + await left() >= ROWS
            amid += await left() > 0
        async with relay_process(queue.url, database, table):
            while await left():
                await asyncio.sleep(0.01)
    assert amid == KILLS
    found = [job.data for start in range(0, ROWS, 1000) for job in await page(queue, start)]
    assert len(found) == await moved() == ROWS
    assert set(found) == set(range(ROWS))


async def page(queue: toril.Queue, start: int) -> list[toril.Job]:
    return await queue.get_jobs("waiting", start, start + 999)
