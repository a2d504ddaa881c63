"""The jobs of the `sla-check` queue."""

from __future__ import annotations

import structlog

import toril
from insightdesk.database import database, transaction
from insightdesk.jobs import HIGH, app
from insightdesk.kit import clock
from insightdesk.sla import scan as scanning
from insightdesk.sla import service, staging
from insightdesk.sla.models import Metric

log = structlog.get_logger(__name__)

_KEEP_COMPLETED = toril.Keep(count=10_000, age=3600.0)
_KEEP_FAILED = toril.Keep(count=10_000, age=86_400.0)


@app.job(
    "sla-check",
    name="check",
    attempts=HIGH.attempts,
    backoff=HIGH.backoff,
    priority=HIGH.priority,
    timeout=30.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def check_sla(job: toril.JobContext, ticket_id: str, check_type: Metric) -> None:
    """Judges one clock at its deadline; a producer need only know the ticket and the metric."""
    async with transaction() as session:
        current = await service.current_version(session, ticket_id, check_type)
        if current is None or staging.is_stale(job.id, *current):
            return
        remaining = await service.check(session, ticket_id, check_type, clock.now())
    if remaining is not None:
        raise toril.Snooze(remaining)


@app.job(
    "sla-check",
    name="scan",
    attempts=HIGH.attempts,
    backoff=HIGH.backoff,
    priority=HIGH.priority,
    timeout=240.0,
    keep_completed=toril.Keep(count=100, age=3600.0),
    keep_failed=toril.Keep(count=500, age=86_400.0),
)
async def scan_sla() -> dict[str, int]:
    """Finds what the checks missed, and brings in the deadlines of the next 24 hours."""
    result = await scanning.scan(database(), clock.now())
    if result.breached or result.staged:
        log.info("SLA scan", breached=result.breached, staged=result.staged)
    return {"breached": result.breached, "staged": result.staged}
