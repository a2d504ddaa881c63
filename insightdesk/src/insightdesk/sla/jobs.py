"""The jobs of the `sla-check` queue."""

from __future__ import annotations

import structlog

import toril
from insightdesk.database import database, transaction
from insightdesk.jobs import HIGH, app
from insightdesk.kit import clock
from insightdesk.sla import scan as scanning
from insightdesk.sla import service, staging
from insightdesk.sla.changes import rules_followed
from insightdesk.sla.models import Metric

log = structlog.get_logger(__name__)

_KEEP_FAILED = toril.Keep(count=10_000, age=86_400.0)


@app.job(
    "sla-check",
    name="check",
    **HIGH.options,
    timeout=30.0,
    keep_completed=toril.Keep(count=10_000, age=3600.0),
    keep_failed=_KEEP_FAILED,
)
async def check_sla(job: toril.JobContext, ticket_id: str, check_type: Metric) -> None:
    """Looks at one clock at its moment; a producer need only know the ticket and the metric."""
    now = clock.now()
    async with transaction() as session:
        upcoming = await service.check(
            session, ticket_id, check_type, now, until_deadline=not staging.is_ours(job.id)
        )
    if upcoming is not None:
        # On the dot is in time, so look again just after it.
        raise toril.Snooze(max((upcoming - now).total_seconds(), 0.0) + 0.002)


@app.job(
    "sla-check",
    name="scan",
    **HIGH.options,
    timeout=240.0,
    keep_completed=toril.Keep(count=100, age=3600.0),
    keep_failed=toril.Keep(count=500, age=86_400.0),
)
async def scan_sla() -> dict[str, int]:
    """Finds what the checks missed, and brings in the moments of the next 24 hours."""
    result = await scanning.scan(database(), clock.now())
    found = {
        "warned": result.looked.warned,
        "breached": result.looked.breached,
        "escalated": result.looked.escalated,
        "staged": result.staged,
    }
    if any(found.values()):
        log.info("SLA scan", **found)
    return found


@app.job(
    "sla-check",
    name="recompute",
    **HIGH.options,
    timeout=240.0,
    keep_completed=toril.Keep(count=1_000, age=3600.0),
    keep_failed=_KEEP_FAILED,
)
async def recompute_sla(organization_id: str) -> dict[str, int]:
    """Lets an organization's clocks follow its changed policies, calendars and steps."""
    now = clock.now()
    moved = await scanning.recompute(database(), organization_id, now)
    async with transaction() as session:
        await rules_followed(session, organization_id, now)
    log.info("SLA clocks recomputed", organization=organization_id, moved=moved)
    return {"moved": moved}
