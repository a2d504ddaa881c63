"""An agent's own queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.tickets.models import UNSOLVED, Ticket

OLDEST = 3
"""How many of an agent's oldest tickets a digest names."""


@dataclass(frozen=True)
class OldTicket:
    """One of the tickets that have been unsolved longest."""

    id: str
    number: int
    subject: str
    created_at: datetime


async def own_queue(session: AsyncSession, organization_id: str, user_id: str) -> tuple[int, list[OldTicket]]:
    """How many unsolved tickets are the agent's, and the oldest of them."""
    rows = (
        await session.execute(
            select(
                Ticket.id, Ticket.number, Ticket.subject, Ticket.created_at, func.count().over().label("all")
            )
            .where(Ticket.organization_id == organization_id, UNSOLVED, Ticket.assignee_id == user_id)
            .order_by(Ticket.created_at, Ticket.id)
            .limit(OLDEST)
        )
    ).all()
    oldest = [OldTicket(row.id, row.number, row.subject, row.created_at) for row in rows]
    return (rows[0].all if rows else 0), oldest
