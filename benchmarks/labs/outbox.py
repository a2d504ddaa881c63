"""How many rows a second the outbox's relay moves; the DSN of an empty PostgreSQL database is given."""

from __future__ import annotations

import asyncio
import sys
import time

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import toril
from benchmarks.record import Measures
from toril import outbox

from .common import drive, new_job

A_COMMIT = 1000


async def measure(quick: bool) -> Measures:
    """Rows a second, from the relay's start until the table is empty."""
    count = 20_000 if quick else 100_000
    engine = create_async_engine(sys.argv[2].replace("postgresql://", "postgresql+psycopg://"))
    metadata = sa.MetaData()
    outbox.outbox_table(metadata)
    there = sa.text("SELECT EXISTS (SELECT FROM toril_outbox)")
    with toril.EmbeddedServer() as server:
        async with toril.Queue("outbox", server.url) as queue:
            async with engine.begin() as connection:
                await connection.run_sync(metadata.create_all)
            for first in range(0, count, A_COMMIT):
                async with engine.begin() as connection:
                    await outbox.enqueue(connection, "outbox", *map(new_job, range(first, first + A_COMMIT)))
            relay = outbox.OutboxRelay(engine, url=server.url)
            async with engine.connect() as connection:
                begun = time.perf_counter()
                running = asyncio.create_task(relay.run())
                while await connection.scalar(there):
                    await connection.commit()
                    await asyncio.sleep(0.01)
                seconds = time.perf_counter() - begun
            relay.stop()
            await running
            waiting = (await queue.get_job_counts())["waiting"]
    await engine.dispose()
    assert waiting == count, f"{count} rows became {waiting} jobs"
    return {"rate": count / seconds}


if __name__ == "__main__":
    drive(measure)
