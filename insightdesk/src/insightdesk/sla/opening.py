"""Clocks of what is promised only now: to a ticket that has changed, or by a policy that has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.sla import deadlines, movement, repository
from insightdesk.sla.models import Metric, SlaClock
from insightdesk.sla.rules import Rules
from insightdesk.tickets.models import Ticket, TicketStatus

FIRST_CYCLES = frozenset({Metric.FIRST_RESPONSE, Metric.RESOLUTION})
"""What a ticket waits for from its creation."""


async def open_missing(
    session: AsyncSession, tickets: Mapping[str, Ticket], holding: Rules, now: datetime
) -> list[SlaClock]:
    """Start the first cycles that these locked tickets lack, of what they still wait for and are promised.

    They run as if promised from the ticket's creation; where it waits on the customer, they stand still from
    now on.

    Returns:
        The new clocks, not settled yet.
    """
    waiting = {ticket_id: ticket for ticket_id, ticket in tickets.items() if not ticket.status.is_done}
    if not waiting:
        return []
    had = await repository.metrics_had(session, waiting)
    answered = await repository.answered(session, waiting)
    opened = []
    for ticket in waiting.values():
        promise = holding.promise(ticket)
        if promise is None:
            continue
        kept = {Metric.FIRST_RESPONSE} if ticket.id in answered else set()
        for metric in sorted((FIRST_CYCLES & promise.seconds.keys()) - had.get(ticket.id, set()) - kept):
            clock = movement.start(ticket, metric, promise, ticket.created_at, 1)
            if ticket.status is TicketStatus.PENDING:
                run = deadlines.pause(movement.run_of(clock), now)
                movement.retime(clock, ticket, promise, run)
            opened.append(clock)
    session.add_all(opened)
    return opened
