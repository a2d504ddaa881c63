"""What is due at a time of each organization's own zone.

The moment is reckoned once for each zone, not for each organization. A run is noted and its jobs are
staged in one transaction, so it begins exactly once, whichever scan comes by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.database import Database
from insightdesk.kit.local_time import UnknownZone, last_due, zone_of
from insightdesk.reports.local_runs import repository
from insightdesk.reports.local_runs.repository import Run
from insightdesk.schedules import Local

log = structlog.get_logger(__name__)

BATCH = 500

Stage = Callable[[AsyncSession, Sequence[Run]], Awaitable[None]]
"""Stages the jobs of runs that begin, in their transaction."""


async def begin_due(
    database: Database, schedule: str, local: Local, now: datetime, stage: Stage, *, batch: int = BATCH
) -> int:
    """Begin every run that is due at ``now`` and has not begun; returns how many."""
    async with database.transaction() as session:
        due = _due(await repository.zones(session), local, now)
    begun = 0
    while due:
        async with database.transaction() as session:
            runs = await repository.begin(session, schedule, due, now, batch)
            await stage(session, runs)
        begun += len(runs)
        if len(runs) < batch:
            break
    return begun


def _due(zones: Sequence[str], local: Local, now: datetime) -> dict[str, tuple[date, datetime]]:
    found: dict[str, tuple[date, datetime]] = {}
    for name in zones:
        try:
            zone = zone_of(name)
        except UnknownZone as error:
            log.error("organizations are left out", reason=str(error))
            continue
        last = last_due(local.when, zone, now, local.made_up_within)
        if last is not None:
            found[name] = last
    return found
