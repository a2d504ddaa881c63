"""Is everything there that the helpdesk needs?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

import toril
from insightdesk.admin.heartbeat import workers_alive
from insightdesk.database import Database
from insightdesk.jobs import app
from insightdesk.kit import clock
from insightdesk.kit.errors import Unavailable
from insightdesk.migrations import head_revision
from insightdesk.queues import QUEUES
from insightdesk.schedules import SCHEDULES

__all__ = ["Part", "queue_stats", "readiness"]

PATIENCE = 2.0
"""Seconds to wait for a server before it counts as gone."""

LATE = timedelta(minutes=10)
"""How long after its time a schedule's job may still wait for a worker."""

LAG = 60.0
"""Seconds that a committed job may stand in the outbox."""

OK = "ok"
_TROUBLE = (toril.ConnectionFailed, toril.ServerRefused, TimeoutError)


@dataclass(frozen=True)
class Part:
    """One thing that the helpdesk needs.

    Attributes:
        state: `ok`, or what is wrong with it.
        details: what an administrator may want to know.
    """

    state: str = OK
    details: dict[str, object] = field(default_factory=dict)


async def queue_stats() -> dict[str, dict[str, int]]:
    """The job counts of every queue, under the keys of the API.

    Raises:
        Unavailable: Valkey does not answer.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            counts = await asyncio.gather(*(app.queue(spec.name).get_job_counts() for spec in QUEUES))
    except _TROUBLE:
        raise Unavailable("the job server (Valkey) cannot be reached; try again shortly") from None
    return {spec.stats_key: count for spec, count in zip(QUEUES, counts, strict=True)}


async def readiness(database: Database) -> dict[str, Part]:
    """Each part and what is wrong with it."""
    now = clock.now()
    data, jobs = await asyncio.gather(_database_parts(database, now), _valkey_parts(now))
    return {**data, **jobs}


async def _database_parts(database: Database, now: datetime) -> dict[str, Part]:
    try:
        async with asyncio.timeout(PATIENCE), database.transaction() as session:
            revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
            if revision != head_revision():
                return _unmigrated()
            alive = await workers_alive(session, now)
            lag = await session.scalar(
                text(
                    "SELECT extract(epoch FROM clock_timestamp() - created_at)::float FROM toril_outbox"
                    " ORDER BY id LIMIT 1"
                )
            )
    except SQLAlchemyError as error:
        if "alembic_version" in str(error):
            return _unmigrated()
        return _unreachable()
    except (TimeoutError, OSError):
        return _unreachable()
    behind = max(lag or 0.0, 0.0)
    return {
        "database": Part(),
        "migrations": Part(details={"revision": revision}),
        "workers": Part(OK if alive else "not seen", {"alive": alive}),
        "outbox": Part(
            OK if behind <= LAG else f"behind by {behind:.0f} s", {"lagSeconds": round(behind, 3)}
        ),
    }


def _unmigrated() -> dict[str, Part]:
    parts = _unreachable()
    return {**parts, "database": Part(), "migrations": Part("missing: run `insightdesk migrate`")}


def _unreachable() -> dict[str, Part]:
    parts = dict.fromkeys(("database", "migrations", "workers", "outbox"), Part("unknown"))
    return {**parts, "database": Part("cannot be reached")}


async def _valkey_parts(now: datetime) -> dict[str, Part]:
    try:
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.gather(
                *(app.queue(each.queue).get_job_scheduler(each.id) for each in SCHEDULES)
            )
    except _TROUBLE:
        return {"valkey": Part("cannot be reached"), "schedules": Part("unknown")}
    except toril.InvalidPayload as error:
        return {"valkey": Part(), "schedules": Part(f"unreadable: {error}")}
    details: dict[str, object] = {}
    wrong = []
    for each, scheduler in zip(SCHEDULES, found, strict=True):
        if scheduler is None:
            details[each.id] = "missing"
            wrong.append(f"{each.id} is missing")
        else:
            details[each.id] = scheduler.next_run.isoformat()
            if now - scheduler.next_run > LATE:
                wrong.append(f"{each.id} was due at {scheduler.next_run:%Y-%m-%d %H:%M} UTC")
    return {"valkey": Part(), "schedules": Part("; ".join(wrong) or OK, details)}
