"""What tests of promises do to tickets and read of clocks, all at times that they choose."""

from __future__ import annotations

from datetime import datetime, timedelta

from desks import Desk
from sqlalchemy import select, text

from insightdesk.database import transaction
from insightdesk.email.kinds import NotificationKind
from insightdesk.sla import service
from insightdesk.sla.models import Metric, SlaBreach, SlaClock
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Priority, Ticket
from insightdesk.tickets.schemas import MessageInput, TicketInput, TicketPatch

MINUTE = timedelta(minutes=1)


async def open_ticket(desk: Desk, now: datetime, priority: Priority = Priority.NORMAL) -> Ticket:
    wanted = TicketInput(
        subject="Help", body="Please", priority=priority, customer_id=desk.customer.user_id,
        assignee_id=desk.agent.user_id,
    )  # fmt: skip
    async with transaction() as session:
        return await tickets.create_ticket(session, desk.admin, wanted, now)


async def patch(desk: Desk, ticket: Ticket, now: datetime, **changes: object) -> None:
    async with transaction() as session:
        await tickets.update_ticket(session, desk.agent, ticket.id, TicketPatch(**changes), now)


async def say(desk: Desk, ticket: Ticket, now: datetime, *, staff: bool) -> None:
    async with transaction() as session:
        actor = desk.agent if staff else desk.customer
        await tickets.add_message(session, actor, ticket.id, MessageInput(body="Well"), now)


async def clocks(ticket: Ticket) -> dict[Metric, SlaClock]:
    async with transaction() as session:
        found = (await service.clocks_of(session, [ticket.id]))[ticket.id]
        return {clock.metric: clock for clock in found}


async def breaches(ticket: Ticket) -> list[tuple[Metric, int, datetime]]:
    async with transaction() as session:
        rows = await session.scalars(select(SlaBreach).where(SlaBreach.ticket_id == ticket.id))
        return [(row.metric, row.cycle, row.breached_at) for row in rows]


async def staged(ticket: Ticket, name: str) -> list[dict[str, object]]:
    """Payloads of the outbox's jobs of this name for the ticket."""
    async with transaction() as session:
        rows = await session.execute(
            text("SELECT data FROM toril_outbox WHERE name = :name AND data->>'ticketId' = :ticket"),
            {"name": name, "ticket": ticket.id},
        )
        return [row.data for row in rows]


async def told(ticket: Ticket, kind: NotificationKind) -> list[str]:
    """Who is mailed this of the ticket, once for each mail."""
    mails = await staged(ticket, "ticket-notification")
    return sorted(str(mail["recipientId"]) for mail in mails if mail["type"] == kind)


async def told_of_breach(ticket: Ticket) -> list[str]:
    return await told(ticket, NotificationKind.SLA_BREACH)


async def set_next_response(desk: Desk, minutes: float) -> None:
    """Promise this for each further answer to normal tickets."""
    async with transaction() as session:
        await service.set_target(
            session,
            desk.organization_id,
            Priority.NORMAL,
            first_response_minutes=10,
            next_response_minutes=minutes,
            resolution_minutes=60,
        )
