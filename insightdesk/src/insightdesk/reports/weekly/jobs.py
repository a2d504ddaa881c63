"""The jobs of the weekly report, on the `reports` queue."""

from __future__ import annotations

import datetime

import structlog

import toril
from insightdesk.database import database, transaction
from insightdesk.jobs import LOW, app
from insightdesk.kit import clock
from insightdesk.reports.local_runs import service as local_runs
from insightdesk.reports.weekly import service
from insightdesk.schedules import WEEKLY_REPORT

log = structlog.get_logger(__name__)

_KEEP_COMPLETED = toril.Keep(count=10_000, age=14_400.0)
_KEEP_FAILED = toril.Keep(count=10_000, age=86_400.0)


@app.job(
    "reports",
    name="weekly-report",
    **LOW.options,
    timeout=300.0,
    keep_completed=toril.Keep(count=100, age=14_400.0),
    keep_failed=toril.Keep(count=500, age=86_400.0),
)
async def weekly_report() -> int:
    """Begins the report of each organization where it is time; returns of how many."""
    begun = await local_runs.begin_due(
        database(), "weekly-report", WEEKLY_REPORT, clock.now(), service.stage_organizations
    )
    if begun:
        log.info("weekly reports", organizations=begun)
    return begun


@app.job(
    "reports",
    name="weekly-report-organization",
    **LOW.options,
    timeout=60.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def weekly_report_organization(organization_id: str, week: datetime.date) -> int:
    """Fans an organization's report out to its administrators; returns to how many."""
    async with transaction() as session:
        return await service.stage_admins(session, organization_id, week)


@app.job(
    "reports",
    name="weekly-report-admin",
    **LOW.options,
    timeout=60.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def weekly_report_admin(organization_id: str, admin_id: str, week: datetime.date) -> bool:
    """Sends one administrator's report, unless there is nothing to tell; returns whether it did."""
    async with transaction() as session:
        return await service.send(session, organization_id, admin_id, week)
