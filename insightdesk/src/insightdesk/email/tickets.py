"""What a mail about a ticket tells: read for the person who is to be told, of her organization alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.accounts.models import Organization, User
from insightdesk.email.kinds import NotificationKind
from insightdesk.email.models import MailNotice
from insightdesk.settings import get_settings
from insightdesk.sla.models import SlaClock
from insightdesk.tickets.models import Message, Ticket, Visibility

__all__ = ["TicketFacts", "facts_of", "mail_data", "oldest_untold_message"]

_SHOWN = 20  # messages of one mail; the rest are counted, and are on the ticket


@dataclass(frozen=True)
class TicketFacts:
    """A ticket and the person who is to be told of it, of the same organization."""

    ticket: Ticket
    recipient: User
    zone: ZoneInfo


async def facts_of(session: AsyncSession, ticket_id: str, recipient_id: str) -> TicketFacts | None:
    """Both, or None when one is gone or they belong to different organizations."""
    row = (
        await session.execute(
            select(Ticket, User, Organization.time_zone)
            .join(User, User.organization_id == Ticket.organization_id)
            .join(Organization, Organization.id == Ticket.organization_id)
            .where(Ticket.id == ticket_id, User.id == recipient_id)
        )
    ).one_or_none()
    return None if row is None else TicketFacts(row[0], row[1], ZoneInfo(row[2]))


async def oldest_untold_message(session: AsyncSession, facts: TicketFacts, window_id: str) -> str | None:
    """For a producer that names no message: the newest one that this person was not told of yet.

    The first time it is the newest message of all. Later it is the oldest after the last that was told, so
    that each job tells one more and none is lost.
    """
    told = (
        select(Message.created_at)
        .join(MailNotice, MailNotice.message_id == Message.id)
        .where(MailNotice.window_id == window_id)
    )
    last = await session.scalar(told.order_by(Message.created_at.desc()).limit(1))
    query = select(Message.id).where(_readable(facts))
    if last is None:
        query = query.order_by(Message.created_at.desc(), Message.id.desc())
    else:
        query = query.where(Message.created_at > last).order_by(Message.created_at, Message.id)
    return (await session.execute(query.limit(1))).scalar_one_or_none()


async def mail_data(
    session: AsyncSession,
    facts: TicketFacts,
    kind: NotificationKind,
    message_ids: Collection[str],
    times: int,
) -> dict[str, toril.Json]:
    """The data of the kind's template: the ticket as it is now, and what happened `times` times to it."""
    ticket = facts.ticket
    data: dict[str, toril.Json] = {
        "recipient": {"name": facts.recipient.name},
        "times": times,
        "ticket": {
            "number": ticket.number,
            "subject": ticket.subject,
            "status": ticket.status.value,
            "priority": ticket.priority.value,
            "url": f"{get_settings().base_url}/?ticket={ticket.id}",
        },
    }
    if kind is NotificationKind.NEW_MESSAGE:
        said = await _messages(session, facts, message_ids)
        data["messages"] = [
            {
                "author": author,
                "body": message.body,
                "at": f"{message.created_at.astimezone(facts.zone):%H:%M}",
            }
            for message, author in said[:_SHOWN]
        ]
        data["left_out"] = max(len(said) - _SHOWN, 0)
    if kind in (NotificationKind.SLA_WARNING, NotificationKind.SLA_BREACH):
        data["sla"] = await _sla(session, facts, breached=kind is NotificationKind.SLA_BREACH)
    return data


def _readable(facts: TicketFacts) -> ColumnElement[bool]:
    own = and_(Message.ticket_id == facts.ticket.id, Message.author_id != facts.recipient.id)
    return own if facts.recipient.role.is_staff else and_(own, Message.visibility == Visibility.PUBLIC)


async def _messages(
    session: AsyncSession, facts: TicketFacts, ids: Collection[str]
) -> Sequence[tuple[Message, str]]:
    """The messages with their authors' names, oldest first; internal notes only for staff."""
    query = (
        select(Message, User.name)
        .join(User, User.id == Message.author_id)
        .where(Message.id.in_(ids), _readable(facts))
        .order_by(Message.created_at, Message.id)
    )
    return [(message, author) for message, author in await session.execute(query)]


async def _sla(session: AsyncSession, facts: TicketFacts, *, breached: bool) -> dict[str, toril.Json]:
    """Of the clock that was breached or warned last."""
    moment = SlaClock.breached_at if breached else SlaClock.warned_at
    query = select(SlaClock).where(SlaClock.ticket_id == facts.ticket.id, moment.is_not(None))
    found = (await session.execute(query.order_by(moment.desc()).limit(1))).scalar_one_or_none()
    if found is None:
        return {"metric": "next step", "due": None}
    return {
        "metric": found.metric.value.replace("_", " "),
        "due": f"{found.due_at.astimezone(facts.zone):%Y-%m-%d %H:%M:%S %Z}",
    }
