"""What the jobs of local runs have in common: the scan that begins them, and options of what it stages."""

from __future__ import annotations

import structlog

import toril
from insightdesk.database import database
from insightdesk.jobs import LOW, app
from insightdesk.kit import clock
from insightdesk.reports.local_runs import service
from insightdesk.reports.local_runs.service import Stage
from insightdesk.schedules import Local

__all__ = ["FAN_OUT", "declare_scan"]

log = structlog.get_logger(__name__)

FAN_OUT = toril.JobKeywords(
    attempts=LOW.attempts,
    backoff=LOW.backoff,
    priority=LOW.priority,
    timeout=60.0,
    keep_completed=toril.Keep(count=10_000, age=14_400.0),
    keep_failed=toril.Keep(count=10_000, age=86_400.0),
)
"""Options of a job for one organization or one person."""


def declare_scan(name: str, schedule: str, local: Local, stage: Stage) -> toril.JobDefinition[[], int]:
    """Declare the job on the `reports` queue that begins a run of each organization where it is time.

    Args:
        name: the job's.
        schedule: under which the runs are noted.
        local: when it is time.
        stage: stages what a run consists of.
    """

    @app.job(
        "reports",
        name=name,
        **LOW.options,
        timeout=300.0,
        keep_completed=toril.Keep(count=100, age=14_400.0),
        keep_failed=toril.Keep(count=500, age=86_400.0),
    )
    async def scan() -> int:
        begun = await service.begin_due(database(), schedule, local, clock.now(), stage)
        if begun:
            log.info("local runs begun", schedule=schedule, organizations=begun)
        return begun

    return scan
