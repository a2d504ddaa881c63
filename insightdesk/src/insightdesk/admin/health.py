"""Is everything there that the helpdesk needs?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

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

PATIENCE = 2.0
"""Seconds to wait for a server before it counts as gone."""


async def queue_stats() -> dict[str, dict[str, int]]:
    """The job counts of every queue, under the keys of the API.

    Raises:
        Unavailable: Valkey does not answer.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            counts = await asyncio.gather(*(app.queue(spec.name).get_job_counts() for spec in QUEUES))
    except (toril.ConnectionFailed, TimeoutError):
        raise Unavailable("the job server (Valkey) cannot be reached; try again shortly") from None
    return {spec.stats_key: count for spec, count in zip(QUEUES, counts, strict=True)}


async def readiness(database: Database) -> dict[str, str]:
    """What is wrong with each part; ``ok`` where nothing is."""
    data, valkey = await asyncio.gather(_database_parts(database), _judge(queue_stats()))
    return {**data, "valkey": valkey}


async def _database_parts(database: Database) -> dict[str, str]:
    try:
        async with asyncio.timeout(PATIENCE), database.transaction() as session:
            revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
            migrations = "ok" if revision == head_revision() else "missing: run `insightdesk migrate`"
            alive = await workers_alive(session, clock.now()) if migrations == "ok" else 0
    except SQLAlchemyError as error:
        if "alembic_version" in str(error):
            return {
                "database": "ok",
                "migrations": "missing: run `insightdesk migrate`",
                "workers": "not seen",
            }
        return {"database": "cannot be reached", "migrations": "unknown", "workers": "unknown"}
    except (TimeoutError, OSError):
        return {"database": "cannot be reached", "migrations": "unknown", "workers": "unknown"}
    return {"database": "ok", "migrations": migrations, "workers": "ok" if alive else "not seen"}


async def _judge(probe: Awaitable[object]) -> str:
    try:
        await probe
    except Unavailable:
        return "cannot be reached"
    return "ok"
