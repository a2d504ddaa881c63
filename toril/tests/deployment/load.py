"""A worker and what it ran."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Collection
from typing import Any

import toril


@contextlib.asynccontextmanager
async def working(queue: toril.Queue, **options: Any) -> AsyncIterator[Counter[str]]:
    """Run a worker of the queue while the block runs; counts the runs of each job."""
    done: Counter[str] = Counter()

    async def handler(job: toril.Job) -> str:
        done[job.id] += 1
        return job.id

    settings = {"concurrency": 10, "lock_duration": 3.0, "stalled_interval": 1.0, "drain_timeout": 5.0}
    worker = toril.Worker(queue.name, handler, url=queue.url, prefix=queue.prefix, **{**settings, **options})
    task = asyncio.create_task(worker.run(handle_signals=False))
    ready = asyncio.create_task(worker.ready.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        await task
    try:
        yield done
    finally:
        worker.stop()
        await task


async def ran(done: Counter[str], wanted: Collection[str], limit: float = 30.0) -> None:
    """Wait until all these jobs have run."""
    try:
        async with asyncio.timeout(limit):
            while not all(job_id in done for job_id in wanted):
                await asyncio.sleep(0.02)
    except TimeoutError:
        missing = [job_id for job_id in wanted if job_id not in done]
        raise AssertionError(f"{len(missing)} jobs have not run: {missing[:10]}") from None


async def settled(queue: toril.Queue, count: int, limit: float = 10.0) -> None:
    """Wait until so many jobs are recorded as completed: a handler's end is not yet that."""
    async with asyncio.timeout(limit):
        while (counts := await queue.get_job_counts())["completed"] < count or counts["active"]:
            await asyncio.sleep(0.02)
    assert counts["completed"] == count
