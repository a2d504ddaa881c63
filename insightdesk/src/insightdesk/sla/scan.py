"""The scan: brings near deadlines into the queue, and finds whatever a check missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from insightdesk.database import Database
from insightdesk.sla import repository, service, staging

BATCH = 500


@dataclass(frozen=True)
class ScanResult:
    """What one scan did."""

    breached: int
    staged: int


async def scan(database: Database, now: datetime, *, batch: int = BATCH) -> ScanResult:
    """Record every breach up to ``now`` and stage the checks of the next 24 hours.

    Batches are transactions of their own, ordered by deadline, until nothing is left: a crash loses at
    most the batch at hand, which the next scan finds again.
    """
    breached = staged = 0
    while True:
        async with database.transaction() as session:
            late = await repository.lock_overdue(session, now, batch)
            breached += await service.record_breaches(session, late)
        if len(late) < batch:
            break
    while True:
        async with database.transaction() as session:
            near = await repository.lock_unstaged(session, now, now + staging.HORIZON, batch)
            staged += await staging.stage_checks(session, near, now)
        if len(near) < batch:
            break
    return ScanResult(breached, staged)
