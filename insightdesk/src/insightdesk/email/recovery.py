"""Mails whose job is gone, because the queue's server lost what it had: they get another.

A delivery's job is looked for again and again until the mail is sent, each time after half an hour; the
partial index lets that cost what is unsent. The new job has the first one's id, so the queue takes it once,
however many look. Where a producer's own job hands the mail over and is only put off, a second one comes; the
claim lets one of them send it.
"""

from __future__ import annotations

from datetime import datetime

from insightdesk.database import Database
from insightdesk.email import repository
from insightdesk.email.jobs import deliver_mail, delivery_job, gathering_job, send_gathered
from insightdesk.email.registry import find
from insightdesk.recovery.service import LIMIT, stage_lost

__all__ = ["recover"]

BATCH = 500
MOST = 20
"""Batches of one pass; the next pass goes on with the rest."""


async def recover(database: Database, now: datetime, *, batch: int = BATCH) -> int:
    """Stage the jobs of mails that have none any more; returns how many."""
    return await _deliveries(database, now, batch) + await _windows(database, now, batch)


async def _deliveries(database: Database, now: datetime, batch: int) -> int:
    staged = 0
    for _ in range(MOST):
        async with database.transaction() as session:
            found = await repository.unsent(session, now - LIMIT, batch)
        jobs = [delivery_job(delivery, bulk=find(template).bulk) for delivery, template in found]
        staged += await stage_lost(database, deliver_mail.queue, jobs)
        async with database.transaction() as session:
            await repository.note_looked_for(session, [delivery for delivery, _ in found], now)
        if len(found) < batch:
            break
    return staged


async def _windows(database: Database, now: datetime, batch: int) -> int:
    staged, after = 0, ""
    for _ in range(MOST):
        async with database.transaction() as session:
            found = await repository.open_windows(session, now - LIMIT, after, batch)
        jobs = [gathering_job(window, closes_at, now) for window, closes_at in found]
        staged += await stage_lost(database, send_gathered.queue, jobs)
        if len(found) < batch:
            break
        after = found[-1][0]
    return staged
