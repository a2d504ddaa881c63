"""The mail that tells a customer of a ticket which will soon be closed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Organization, User
from insightdesk.email.service import queue_mail
from insightdesk.kit.local_time import say_day, zone_of
from insightdesk.settings import get_settings
from insightdesk.tickets.auto_close import service
from insightdesk.tickets.models import Ticket, TicketStatus

TEMPLATE = "auto_close_warning"


async def send(session: AsyncSession, ticket_id: str) -> None:
    """Stage the mail; nothing when the ticket is no longer resolved. Once for each time it is resolved."""
    row = (
        await session.execute(
            select(Ticket, User, Organization.time_zone)
            .join(User, User.id == Ticket.customer_id)
            .join(Organization, Organization.id == Ticket.organization_id)
            .where(Ticket.id == ticket_id, User.active)
        )
    ).one_or_none()
    if row is None:
        return
    ticket, customer, zone = row
    rules = await service.rules(session, ticket.organization_id)
    if ticket.status is not TicketStatus.RESOLVED or ticket.resolved_at is None or rules.after_days is None:
        return
    closes_at = ticket.resolved_at + service.wait(rules.after_days)
    await queue_mail(
        session,
        organization_id=ticket.organization_id,
        recipient=customer.email,
        template=TEMPLATE,
        data={
            "recipient": {"name": customer.name},
            "ticket": {
                "number": ticket.number,
                "subject": ticket.subject,
                "status": ticket.status.value,
                "priority": ticket.priority.value,
                "url": f"{get_settings().base_url}/?ticket={ticket.id}",
            },
            "closes_on": say_day(closes_at.astimezone(zone_of(zone)).date()),
        },
        key=f"auto-close-warning:{ticket.id}:{ticket.resolved_at.timestamp():.0f}",
        user_id=customer.id,
        ticket_id=ticket.id,
    )
