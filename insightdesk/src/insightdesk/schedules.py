"""Every schedule of the helpdesk: the one place that says what runs again and again.

Patterns are in UTC. What is due at an hour of each organization's own zone has a ``local`` time beside the
pattern of a scan, which finds the organizations whose time has come; see docs/adr/0010-local-times.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta

import structlog

import toril
from insightdesk.kit.local_time import Weekly

log = structlog.get_logger(__name__)

WEEKDAYS = frozenset(range(5))
MONDAY = frozenset({0})

# Zones differ from UTC by whole quarters of an hour.
EACH_QUARTER = "*/15 * * * *"


@dataclass(frozen=True)
class Local:
    """When something is due in each organization's own zone.

    Attributes:
        when: the local time and its days.
        made_up_within: how long after its time a run that was missed is still made up.
    """

    when: Weekly
    made_up_within: timedelta


@dataclass(frozen=True)
class Schedule:
    """A job that runs again and again.

    Attributes:
        id: of the job scheduler.
        pattern: five fields of cron, in UTC.
        queue: where its jobs go.
        job: their name.
        data: their payload.
        local: for a scan, when what it looks for is due in each organization.
    """

    id: str
    pattern: str
    queue: str
    job: str
    data: Mapping[str, str] = field(default_factory=dict)
    local: Local | None = None


DAILY_DIGEST = Local(Weekly(time(8), WEEKDAYS), made_up_within=timedelta(hours=12))
WEEKLY_REPORT = Local(Weekly(time(9), MONDAY), made_up_within=timedelta(hours=48))

SCHEDULES = (
    Schedule("sla-scan", "*/5 * * * *", "sla-check", "scan"),
    Schedule("auto-close", "0 * * * *", "ticket-actions", "auto-close-scan"),
    Schedule("daily-digest", EACH_QUARTER, "reports", "daily-digest-scan", local=DAILY_DIGEST),
    Schedule("weekly-report", EACH_QUARTER, "reports", "weekly-report", local=WEEKLY_REPORT),
    Schedule("archive", "0 3 * * *", "cleanup", "archive", {"action": "archive"}),
    Schedule("orphaned-files", "0 4 * * *", "cleanup", "orphaned-files"),
    Schedule("lost-jobs", "*/10 * * * *", "cleanup", "lost-jobs"),
)


def declare(app: toril.Toril) -> None:
    """Let the workers of ``app`` see to all of `SCHEDULES`.

    Raises:
        LookupError: One names a job that has no handler.
    """
    handled = {(definition.queue, definition.name): definition for definition in app.definitions}
    for schedule in SCHEDULES:
        definition = handled.get((schedule.queue, schedule.job))
        if definition is None:
            raise LookupError(f"schedule {schedule.id}: {schedule.queue} has no job {schedule.job}")
        app.schedule(schedule.id, toril.Cron(schedule.pattern, tz="UTC"), definition, **schedule.data)


async def keep(app: toril.Toril, interval: float = 60.0) -> None:
    """Put the schedules of queues that have none in place again, until cancelled: a server that lost its data
    would otherwise have none until a worker starts.

    Where some are left, all are left alone: while a release is rolled out, old and new workers declare
    different ones, and the new are right.

    Args:
        interval: seconds between two looks.
    """
    queues = sorted({schedule.queue for schedule in SCHEDULES})
    while True:
        await asyncio.sleep(interval)
        try:
            lost = [name for name in queues if not await app.queue(name).get_job_schedulers_count()]
            if lost:
                log.warning("schedules were lost, and are put in place again", queues=lost)
                await app.apply_schedules(lost)
        except (toril.TorilError, OSError) as error:
            log.warning("schedules not looked at", error=str(error))
