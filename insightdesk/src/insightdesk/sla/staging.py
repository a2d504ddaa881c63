"""Handing the next look at a clock to the queue, at its moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk import outbox
from insightdesk.sla.models import SlaClock

HORIZON = timedelta(hours=24)
"""Only moments this near go to Valkey; the scan brings in the rest as they come near."""

_PREFIX = "sla"


def check_id(clock_id: str, version: int) -> str:
    """The id of the job that looks at this version of a clock: the same check is never queued twice."""
    return f"{_PREFIX}-{clock_id}-{version}"


def is_ours(job_id: str) -> bool:
    """Whether a check was staged here. Any other comes from a producer that knows no more than the ticket
    and the metric, and waits for the deadline."""
    return job_id.startswith(f"{_PREFIX}-")


async def stage_checks(session: AsyncSession, clocks: Iterable[SlaClock], now: datetime) -> int:
    """Put the checks of clocks whose next moment has changed and lies within the horizon into the outbox.

    A clock has one check in the queue at a time: a delayed one is replaced, one that runs is followed.
    """
    from insightdesk.sla.jobs import check_sla  # the job's handler calls the service, which calls this

    jobs = []
    for clock in clocks:
        if clock.next_at is None or clock.staged_version == clock.version or clock.next_at - now > HORIZON:
            continue
        clock.staged_version = clock.version
        options = check_sla.options(
            delay=max((clock.next_at - now).total_seconds(), 0.0),
            job_id=check_id(clock.id, clock.version),
            deduplication=toril.Deduplication(
                f"{_PREFIX}-{clock.id}", replace=True, keep_last_if_active=True
            ),
        )
        jobs.append(options.new_job(ticket_id=clock.ticket_id, check_type=clock.metric))
    if jobs:
        await outbox.enqueue(session, check_sla.queue, *jobs)
    return len(jobs)
