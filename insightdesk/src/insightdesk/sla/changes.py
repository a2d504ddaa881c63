"""What follows a change of an organization's rules: a job lets its clocks follow, and starts others.

That it is to do so is noted with the change, until it has done it: a job that is lost with the queues' server
is staged again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk import outbox
from insightdesk.database import Database
from insightdesk.kit import clock
from insightdesk.recovery.service import LIMIT
from insightdesk.sla.models import SlaChange

_QUEUE = "sla-check"
_MOST = 500
"""Organizations of one pass; the next pass goes on with the rest."""


async def rules_changed(session: AsyncSession, organization_id: str) -> None:
    """Stage the recomputing of the organization's clocks; one job waits and one runs at a time."""
    values = dict.fromkeys(("changed_at", "looked_for_at"), clock.now())
    await session.execute(
        insert(SlaChange)
        .values(organization_id=organization_id, **values)
        .on_conflict_do_update(index_elements=["organization_id"], set_=values)
    )
    await outbox.enqueue(session, _QUEUE, _job(organization_id))


async def rules_followed(session: AsyncSession, organization_id: str, since: datetime) -> None:
    """Note that all clocks follow what was changed by then."""
    await session.execute(
        delete(SlaChange).where(SlaChange.organization_id == organization_id, SlaChange.changed_at <= since)
    )


async def recover(database: Database, now: datetime) -> int:
    """Stage the jobs of changes that clocks do not follow for a long time; returns how many.

    One that waits already is the same, by its deduplication.
    """
    async with database.transaction() as session:
        late = (
            select(SlaChange.organization_id)
            .where(SlaChange.looked_for_at < now - LIMIT)
            .order_by(SlaChange.looked_for_at)
            .limit(_MOST)
            .with_for_update(skip_locked=True)
        )
        found = await session.scalars(
            update(SlaChange)
            .where(SlaChange.organization_id.in_(late))
            .values(looked_for_at=now)
            .returning(SlaChange.organization_id)
        )
        jobs = [_job(organization_id) for organization_id in found]
        if jobs:
            await outbox.enqueue(session, _QUEUE, *jobs)
    return len(jobs)


def _job(organization_id: str) -> toril.NewJob:
    from insightdesk.sla.jobs import recompute_sla  # the job's handler calls what calls this

    once = toril.Deduplication.keep_last(f"sla-recompute-{organization_id}")
    return recompute_sla.options(deduplication=once).new_job(organization_id=organization_id)
