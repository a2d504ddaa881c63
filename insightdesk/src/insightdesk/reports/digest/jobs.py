"""The jobs of the daily digest, on the `reports` queue."""

from __future__ import annotations

import datetime

import structlog

import toril
from insightdesk.database import database, transaction
from insightdesk.jobs import LOW, app
from insightdesk.kit import clock
from insightdesk.reports.digest import service
from insightdesk.reports.local_runs import service as local_runs
from insightdesk.schedules import DAILY_DIGEST

log = structlog.get_logger(__name__)

_KEEP_COMPLETED = toril.Keep(count=10_000, age=14_400.0)
_KEEP_FAILED = toril.Keep(count=10_000, age=86_400.0)


@app.job(
    "reports",
    name="daily-digest-scan",
    **LOW.options,
    timeout=300.0,
    keep_completed=toril.Keep(count=100, age=14_400.0),
    keep_failed=toril.Keep(count=500, age=86_400.0),
)
async def daily_digest_scan() -> int:
    """Begins the digest of each organization where it is time; returns of how many."""
    begun = await local_runs.begin_due(
        database(), "daily-digest", DAILY_DIGEST, clock.now(), service.stage_organizations
    )
    if begun:
        log.info("daily digests", organizations=begun)
    return begun


@app.job(
    "reports",
    name="daily-digest",
    **LOW.options,
    timeout=60.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def daily_digest(organization_id: str, date: datetime.date) -> int:
    """Fans an organization's digest of one local day out to its agents; returns to how many."""
    async with transaction() as session:
        return await service.stage_agents(session, organization_id, date)


@app.job(
    "reports",
    name="daily-digest-agent",
    **LOW.options,
    timeout=60.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def daily_digest_agent(organization_id: str, agent_id: str, date: datetime.date) -> bool:
    """Sends one agent's digest, unless there is nothing to tell; returns whether it did."""
    async with transaction() as session:
        return await service.send(session, organization_id, agent_id, date, clock.now())
