"""The jobs of the weekly report, on the `reports` queue."""

from __future__ import annotations

import datetime

from insightdesk.database import transaction
from insightdesk.jobs import app
from insightdesk.reports.local_runs.jobs import FAN_OUT, declare_scan
from insightdesk.reports.weekly import service
from insightdesk.schedules import WEEKLY_REPORT

weekly_report = declare_scan("weekly-report", "weekly-report", WEEKLY_REPORT, service.stage_organizations)


@app.job("reports", name="weekly-report-organization", **FAN_OUT)
async def weekly_report_organization(organization_id: str, week: datetime.date) -> int:
    """Fans an organization's report out to its administrators; returns to how many."""
    async with transaction() as session:
        return await service.stage_admins(session, organization_id, week)


@app.job("reports", name="weekly-report-admin", **FAN_OUT)
async def weekly_report_admin(organization_id: str, admin_id: str, week: datetime.date) -> bool:
    """Sends one administrator's report, unless there is nothing to tell; returns whether it did."""
    async with transaction() as session:
        return await service.send(session, organization_id, admin_id, week)
