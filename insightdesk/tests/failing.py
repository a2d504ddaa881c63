"""Jobs that fail, on real workers, and what a recorder made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.orm import undefer

import toril
from insightdesk.database import transaction
from insightdesk.dead_letters.models import DeadLetter

Handler = Callable[[toril.Job], Awaitable[object]]


async def refuse(job: toril.Job) -> None:
    """Fails for good."""
    raise toril.Fail("no mailbox for ann@example.com, code 550")


async def work(queue: toril.Queue, url: str, handler: Handler, *jobs: toril.Job) -> None:
    """Run a worker until the jobs have ended."""
    worker = toril.Worker(queue.name, handler, url=url, stalled_interval=1.0)
    running = asyncio.create_task(worker.run(handle_signals=False))
    for job in jobs:
        with suppress(toril.JobFailed, toril.JobNotFound):
            await job.wait(timeout=20.0)
    await worker.close()
    await running


async def fail(queue: toril.Queue, url: str, data: toril.Json, **options: object) -> toril.Job:
    """Add a job and let it fail."""
    job = await queue.add("refused", data, **options)  # type: ignore[arg-type]
    await work(queue, url, refuse, job)
    return job


async def letters(queue: str) -> Sequence[DeadLetter]:
    """All letters of a queue, the oldest first."""
    async with transaction() as session:
        query = select(DeadLetter).where(DeadLetter.queue == queue).order_by(DeadLetter.failed_at)
        query = query.options(undefer(DeadLetter.payload), undefer(DeadLetter.trace))
        return (await session.scalars(query)).all()
