"""The jobs of the daily digest, on the `reports` queue."""

from __future__ import annotations

import datetime

from insightdesk.database import transaction
from insightdesk.jobs import app
from insightdesk.kit import clock
from insightdesk.reports.digest import service
from insightdesk.reports.local_runs.jobs import FAN_OUT, declare_scan
from insightdesk.schedules import DAILY_DIGEST

daily_digest_scan = declare_scan(
    "daily-digest-scan", "daily-digest", DAILY_DIGEST, service.stage_organizations
)


@app.job("reports", name="daily-digest", **FAN_OUT)
async def daily_digest(organization_id: str, date: datetime.date) -> int:
    """Fans an organization's digest of one local day out to its agents; returns to how many."""
    async with transaction() as session:
        return await service.stage_agents(session, organization_id, date)


@app.job("reports", name="daily-digest-agent", **FAN_OUT)
async def daily_digest_agent(organization_id: str, agent_id: str, date: datetime.date) -> bool:
    """Sends one agent's digest, unless there is nothing to tell; returns whether it did."""
    async with transaction() as session:
        return await service.send(session, organization_id, agent_id, date, clock.now())
