"""Clearing away: exports whose time is over, exports that were lost, files that nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from insightdesk.database import Database
from insightdesk.reports.exports import repository
from insightdesk.reports.storage import Storage

GRACE = timedelta(days=1)
"""How long a file without an export, and an export without news, is left alone."""
BATCH = 500


@dataclass(frozen=True)
class Collected:
    """What one pass did."""

    expired: int
    lost: int
    orphans: int


async def collect(database: Database, storage: Storage, now: datetime, *, batch: int = BATCH) -> Collected:
    """Clear away what is due at ``now``.

    An export expires before its file is removed: what a crash leaves in between is an orphan, which a later
    pass finds.
    """
    expired = orphans = 0
    while True:
        async with database.transaction() as session:
            keys = await repository.expire(session, now, batch)
        await storage.delete(keys)
        expired += len(keys)
        if len(keys) < batch:
            break
    async with database.transaction() as session:
        lost = await repository.fail_lost(session, now - GRACE, now, "the job was lost; ask again")
    async for page in storage.files("exports"):
        old = {file.key for file in page if file.modified_at < now - GRACE}
        async with database.transaction() as session:
            unknown = old - await repository.wanted(session, old)
        await storage.delete(unknown)
        orphans += len(unknown)
    orphans += await storage.sweep_parts(now - GRACE)
    return Collected(expired, lost, orphans)
