"""What follows a change of an organization's rules: a job lets its clocks follow, and starts others."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk import outbox


async def rules_changed(session: AsyncSession, organization_id: str) -> None:
    """Stage the recomputing of the organization's clocks; one job waits and one runs at a time."""
    from insightdesk.sla.jobs import recompute_sla  # the job's handler calls what calls this

    job = recompute_sla.options(
        deduplication=toril.Deduplication.keep_last(f"sla-recompute-{organization_id}")
    )
    await outbox.enqueue(session, recompute_sla.queue, job.new_job(organization_id=organization_id))
