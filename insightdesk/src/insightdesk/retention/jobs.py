"""The jobs of the `cleanup` queue."""

from __future__ import annotations

from typing import Literal

import structlog

import toril
from insightdesk.database import database
from insightdesk.jobs import LOW, app
from insightdesk.kit import clock
from insightdesk.retention import erasure, service

log = structlog.get_logger(__name__)

LOOK_AGAIN = 30.0
"""Seconds until jobs that ran while a person was erased are looked at again."""

_KEEP_COMPLETED = toril.Keep(count=100, age=7 * 86_400.0)
_KEEP_FAILED = toril.Keep(count=500, age=7 * 86_400.0)


@app.job(
    "cleanup",
    name="archive",
    **LOW.options,
    timeout=4 * 3600.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def archive(action: Literal["archive"]) -> dict[str, int]:
    """Archives and purges whatever is older than it may be."""
    done = await service.run(database(), clock.now())
    if done:
        log.info("cleanup", **{key.replace(" ", "_"): n for key, n in done.items()})
    return done


@app.job(
    "cleanup",
    name="erase-jobs",
    attempts=5,
    backoff=LOW.backoff,
    priority=LOW.priority,
    timeout=3600.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def erase_jobs(receipt_id: str) -> bool:
    """Takes an erased person out of all queues; looks again while jobs that carry her run."""
    left = await erasure.clear_queues(database(), app, receipt_id, clock.now())
    if left:
        raise toril.Snooze(LOOK_AGAIN)
    return True
