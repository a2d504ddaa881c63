"""What some days brought to an organization: one statement, however many tickets and people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.sla.models import SlaBreach
from insightdesk.tickets.models import UNSOLVED, Ticket, TicketStatus


@dataclass(frozen=True)
class Numbers:
    """Counts of an organization.

    Attributes:
        opened: tickets opened in the period.
        solved: tickets solved in it; one that was reopened since is not solved.
        breached: promises whose deadline passed in it.
        unsolved: tickets open or pending now.
        waiting: those of them that wait on the customer.
    """

    opened: int
    solved: int
    breached: int
    unsolved: int
    waiting: int

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.opened or self.solved or self.breached or self.unsolved)


async def count(session: AsyncSession, organization_id: str, start: datetime, end: datetime) -> Numbers:
    """Count from ``start`` to before ``end``."""
    tickets = select(func.count()).where(Ticket.organization_id == organization_id)
    unsolved = tickets.where(UNSOLVED)
    breaches = select(func.count()).where(SlaBreach.organization_id == organization_id)
    opened = tickets.where(Ticket.created_at >= start, Ticket.created_at < end)
    solved = tickets.where(Ticket.resolved_at >= start, Ticket.resolved_at < end)
    breached = breaches.where(SlaBreach.breached_at >= start, SlaBreach.breached_at < end)
    waiting = unsolved.where(Ticket.status == TicketStatus.PENDING)
    counts = [query.scalar_subquery() for query in (opened, solved, breached, unsolved, waiting)]
    return Numbers(*(await session.execute(select(*counts))).one())
