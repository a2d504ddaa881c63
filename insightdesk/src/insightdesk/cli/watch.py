"""The live view of `insightdesk dev`: one line for each thing that happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

import toril
from insightdesk.cli.listing import printable
from insightdesk.database import transaction
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.sla.models import SlaBreach
from insightdesk.tickets.models import Message, Ticket

__all__ = ["watch_jobs", "watch_tables"]

_PERIOD = 0.5  # seconds between two looks at the tables


async def watch_tables(tell: Callable[[str], None]) -> None:
    """Tells of tickets, messages, mails and breaches as they appear, until cancelled."""
    since = {name: datetime.now(UTC) for name in ("ticket", "message", "mail", "breach")}
    while True:
        await asyncio.sleep(_PERIOD)
        try:
            await _look(since, tell)
        except SQLAlchemyError as error:
            tell(f"database: {type(error).__name__}; looking again")
            await asyncio.sleep(2.0)


async def _look(since: dict[str, datetime], tell: Callable[[str], None]) -> None:
    async with transaction() as session:
        for ticket in await session.scalars(
            select(Ticket).where(Ticket.created_at > since["ticket"]).order_by(Ticket.created_at)
        ):
            since["ticket"] = ticket.created_at
            tell(f"ticket   #{ticket.number} {ticket.priority.value}: {printable(ticket.subject)}")
        for message in await session.scalars(
            select(Message).where(Message.created_at > since["message"]).order_by(Message.created_at)
        ):
            since["message"] = message.created_at
            tell(f"message  {printable(message.body)}")
        for delivery in await session.scalars(
            select(Delivery)
            .where(Delivery.state == DeliveryState.SENT, Delivery.sent_at > since["mail"])
            .order_by(Delivery.sent_at)
        ):
            since["mail"] = delivery.sent_at or since["mail"]
            tell(f"mail     to {printable(delivery.recipient)}: {printable(delivery.subject)}")
        for breach, number in await session.execute(
            select(SlaBreach, Ticket.number)
            .join(Ticket, Ticket.id == SlaBreach.ticket_id)
            .where(SlaBreach.recorded_at > since["breach"])
            .order_by(SlaBreach.recorded_at)
        ):
            since["breach"] = breach.recorded_at
            tell(f"BREACH   #{number} {breach.metric.value.replace('_', ' ')}")


async def watch_jobs(queue: str, url: str, tell: Callable[[str], None]) -> None:
    """Tells of each job of a queue that ended, until cancelled."""
    async with toril.QueueEvents(queue, url=url) as events:
        async for event in events:
            if event.type in ("completed", "failed"):
                tell(f"job      {queue} {event.job_id} {event.type}")
