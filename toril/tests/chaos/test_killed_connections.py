"""Each of a worker's connections is killed in turn: it is made anew, and that is logged once."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

import toril

PARTS = ("calls", "cancels", "w:{name}", "toril-keeper")
"""What names of a worker's connections end with."""


async def found(queue: toril.Queue, part: str) -> str:
    """The id of the connection whose name ends so, once there is one."""
    async with asyncio.timeout(10):
        while True:
            text = (await queue.store.connection.call("CLIENT", "LIST")).decode()
            rows = (dict(item.split("=", 1) for item in line.split()) for line in text.splitlines())
            for row in rows:
                if row["name"].endswith(part):
                    return row["id"]
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("part", PARTS)
async def test_each_killed_connection_is_made_anew_and_logged_once(
    part: str, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    ran = asyncio.Event()

    async def handle(job: toril.Job) -> None:
        ran.set()

    with toril.embedded() as url:
        async with toril.Queue(queue_name, url) as queue:
            worker = toril.Worker(
                queue_name, handle, url=url, lock_duration=0.9, drain_delay=0.5, stalled_interval=1.0
            )
            task = asyncio.create_task(worker.run(handle_signals=False))
            await worker.ready.wait()
            ending = part.format(name=worker.name)
            before = await found(queue, ending)
            await queue.store.connection.call("CLIENT", "KILL", "ID", before)
            after = await found(queue, ending)
            await queue.add("x")
            async with asyncio.timeout(10):
                await ran.wait()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(task), 1.0)
            assert worker.healthy(5.0)
            worker.stop()
            await task
    told = [record.getMessage() for record in caplog.records if "is made anew" in record.getMessage()]
    assert after != before
    assert len(told) == 1, told
    assert ending in told[0]
