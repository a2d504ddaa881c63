"""Jobs that are written in the transaction which causes them, so that neither is without the other."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.jobs import app
from toril import outbox

__all__ = ["enqueue"]


async def enqueue(session: AsyncSession, queue: str, *jobs: toril.NewJob) -> list[str]:
    """Write jobs in the session's transaction; they leave when it commits, and follow what caused them.

    Returns:
        Their ids.
    """
    return await outbox.enqueue(session, queue, *jobs, telemetry=app.telemetry)
