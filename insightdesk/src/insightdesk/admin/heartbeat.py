"""A worker's sign of life in the database, where the API's readiness probe finds it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.admin.models import WorkerHeartbeat
from insightdesk.database import Database
from insightdesk.kit import clock

log = structlog.get_logger(__name__)

INTERVAL = 5.0
"""Seconds between two signs of life."""

ALIVE = timedelta(seconds=30)
"""How long after its last sign a worker is taken for alive."""


async def beat(session: AsyncSession, worker: str, now: datetime) -> None:
    """Say that ``worker`` lives, and forget those long dead."""
    statement = insert(WorkerHeartbeat).values(worker=worker, seen_at=now)
    await session.execute(statement.on_conflict_do_update(index_elements=["worker"], set_={"seen_at": now}))
    await session.execute(delete(WorkerHeartbeat).where(WorkerHeartbeat.seen_at < now - timedelta(days=1)))


async def workers_alive(session: AsyncSession, now: datetime) -> int:
    """How many workers gave a sign of life lately."""
    count = await session.scalar(
        select(func.count()).select_from(WorkerHeartbeat).where(WorkerHeartbeat.seen_at > now - ALIVE)
    )
    return count or 0


async def list_workers(session: AsyncSession, now: datetime) -> Sequence[WorkerHeartbeat]:
    """The workers that gave a sign of life within the last hour, the newest sign first."""
    query = select(WorkerHeartbeat).where(WorkerHeartbeat.seen_at > now - timedelta(hours=1))
    return (await session.scalars(query.order_by(WorkerHeartbeat.seen_at.desc()))).all()


async def run_heartbeat(database: Database) -> None:
    """Beat until cancelled; a database that is gone for a while is no reason to stop."""
    worker = f"{socket.gethostname()}-{os.getpid()}"
    try:
        while True:
            try:
                async with database.transaction() as session:
                    await beat(session, worker, clock.now())
            except (SQLAlchemyError, OSError) as error:
                log.warning("heartbeat not stored", error=str(error).splitlines()[0])
            await asyncio.sleep(INTERVAL)
    finally:
        try:
            async with database.transaction() as session:
                await session.execute(delete(WorkerHeartbeat).where(WorkerHeartbeat.worker == worker))
        except (SQLAlchemyError, OSError) as error:
            log.warning("heartbeat not removed", error=str(error).splitlines()[0])
