"""What features need to find the jobs that they have lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from insightdesk import outbox
from insightdesk.database import Database
from insightdesk.jobs import app
from toril import NewJob

__all__ = ["LIMIT", "stage_lost"]

LIMIT = timedelta(minutes=30)
"""How long something may be without news before its job is looked for."""


async def stage_lost(database: Database, queue: str, jobs: Sequence[NewJob]) -> int:
    """Stage those of these jobs that the queue does not have, in any state; returns how many.

    Each has an id of its own, so that whoever else looks at the same time stages no second one.
    """
    found = await asyncio.gather(*(app.queue(queue).get_job(job.options.job_id or "") for job in jobs))
    gone = [job for job, there in zip(jobs, found, strict=True) if there is None]
    if gone:
        async with database.transaction() as session:
            await outbox.enqueue(session, queue, *gone)
    return len(gone)
