"""The job that looks for lost jobs, on the `cleanup` queue."""

from __future__ import annotations

import structlog

import toril
from insightdesk.database import database
from insightdesk.email import service as email
from insightdesk.jobs import LOW, app
from insightdesk.kit import clock
from insightdesk.reports.exports import service as exports
from insightdesk.retention import erasure
from insightdesk.sla import service as sla

log = structlog.get_logger(__name__)


@app.job(
    "cleanup",
    name="lost-jobs",
    **LOW.options,
    timeout=600.0,
    keep_completed=toril.Keep(count=100, age=86_400.0),
    keep_failed=toril.Keep(count=100, age=7 * 86_400.0),
)
async def recover_lost_jobs() -> dict[str, int]:
    """Gives another job to what the database still wants done and the queues know nothing of."""
    now = clock.now()
    found = {
        "mails": await email.recover(database(), now),
        "exports": await exports.recover(database(), now),
        "erasures": await erasure.recover(database(), now),
        "promises": await sla.recover(database(), now),
    }
    if any(found.values()):
        log.warning("jobs were lost, and are staged again", **found)
    return found
