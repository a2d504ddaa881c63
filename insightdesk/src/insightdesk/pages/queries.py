"""What the page shows, read for one user: staff see the organization, customers what is theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from insightdesk.accounts import people as accounts
from insightdesk.accounts.models import Role, User
from insightdesk.accounts.service import Principal
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.privacy import for_reader
from insightdesk.realtime.models import Notification
from insightdesk.sla.models import SlaClock
from insightdesk.tickets.models import Message, Participant, Ticket, Visibility

__all__ = ["Board", "MessageRow", "TicketRow", "board", "fingerprint", "mail", "messages", "outbox"]

_LIMIT = 60  # rows of each list


@dataclass(frozen=True)
class TicketRow:
    """A ticket with the names and clocks beside it."""

    ticket: Ticket
    customer: str
    assignee: str | None
    clocks: Sequence[SlaClock]


@dataclass(frozen=True)
class MessageRow:
    """A message and who wrote it."""

    message: Message
    author: str
    role: Role


@dataclass(frozen=True)
class Board:
    """Both lists of the page, newest first."""

    tickets: Sequence[TicketRow]
    mails: Sequence[Delivery]


def _tickets(principal: Principal) -> Select[Ticket]:
    query = select(Ticket).where(Ticket.organization_id == principal.organization_id)
    if principal.role.is_staff:
        return query
    # By way of the few that are his: an OR would have the database go through the whole organization's.
    own = select(Ticket.id).where(Ticket.customer_id == principal.user_id)
    takes_part = select(Participant.ticket_id).where(Participant.user_id == principal.user_id)
    return query.where(Ticket.id.in_(own.union(takes_part)))


def _mails(principal: Principal) -> Select[Delivery]:
    query = select(Delivery).where(Delivery.organization_id == principal.organization_id)
    return query if principal.role is Role.ADMIN else query.where(Delivery.recipient == principal.email)


def _newest_tickets(principal: Principal) -> Select[Ticket]:
    return _tickets(principal).order_by(Ticket.created_at.desc()).limit(_LIMIT)


def _newest_mails(principal: Principal) -> Select[Delivery]:
    return _mails(principal).order_by(Delivery.created_at.desc()).limit(_LIMIT)


async def board(session: AsyncSession, principal: Principal) -> Board:
    """The newest tickets and mails."""
    tickets = (await session.scalars(_newest_tickets(principal))).all()
    people = {person for ticket in tickets for person in (ticket.customer_id, ticket.assignee_id) if person}
    names = await accounts.names(session, principal.organization_id, people)
    clocks: dict[str, list[SlaClock]] = defaultdict(list)
    found = await session.scalars(
        select(SlaClock)
        .where(SlaClock.ticket_id.in_([ticket.id for ticket in tickets]))
        .order_by(SlaClock.metric, SlaClock.cycle)
    )
    for clock in found:
        clocks[clock.ticket_id].append(clock)
    rows = [
        TicketRow(
            ticket=ticket,
            customer=names.get(ticket.customer_id, ""),
            assignee=names.get(ticket.assignee_id or ""),
            clocks=clocks[ticket.id],
        )
        for ticket in tickets
    ]
    mails = (await session.scalars(_newest_mails(principal))).all()
    return Board(tickets=rows, mails=mails)


async def messages(
    session: AsyncSession, principal: Principal, ticket_id: str
) -> tuple[Ticket, Sequence[MessageRow]] | None:
    """A ticket's messages, oldest first; None when it is not for these eyes."""
    ticket = await session.scalar(_tickets(principal).where(Ticket.id == ticket_id))
    if ticket is None:
        return None
    author = aliased(User)
    query = (
        select(Message, author.name, author.role)
        .join(author, author.id == Message.author_id)
        .where(Message.ticket_id == ticket_id)
        .order_by(Message.created_at)
    )
    if not principal.role.is_staff:
        query = query.where(Message.visibility == Visibility.PUBLIC)
    rows = (await session.execute(query)).all()
    return ticket, [MessageRow(message, name, role) for message, name, role in rows]


async def mail(session: AsyncSession, principal: Principal, delivery_id: str) -> Delivery | None:
    """One mail; None when it is not for these eyes."""
    found: Delivery | None = await session.scalar(_mails(principal).where(Delivery.id == delivery_id))
    return None if found is None else for_reader(session, found, principal.user_id)


async def outbox(
    session: AsyncSession, principal: Principal, state: DeliveryState | None, before: str | None, limit: int
) -> Sequence[Delivery]:
    """The newest mails, of one state if it is named; `before` is the last id of the page before."""
    query = _mails(principal).order_by(Delivery.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Delivery.state == state)
    if before is not None:
        query = query.where(Delivery.id < before)
    return (await session.scalars(query)).all()


async def fingerprint(session: AsyncSession, principal: Principal) -> str:
    """A text that changes whenever what the page shows does. It looks at the rows that the page shows and at
    no other, so its cost does not grow with the desk."""
    tickets = _newest_tickets(principal).subquery()
    mails = _newest_mails(principal).subquery()
    clocks = select(SlaClock).where(SlaClock.ticket_id.in_(select(tickets.c.id))).subquery()
    inbox = (
        select(Notification)
        .where(Notification.user_id == principal.user_id)
        .order_by(Notification.created_at.desc())
        .limit(_LIMIT)
        .subquery()
    )
    parts = [
        _digest(tickets.c.id, tickets.c.updated_at),
        _digest(mails.c.id, mails.c.state, mails.c.attempts),
        _digest(clocks.c.id, clocks.c.version, clocks.c.fulfilled_at, clocks.c.breached_at),
        _digest(inbox.c.id, inbox.c.read_at),
    ]
    return "|".join(str(value) for value in (await session.execute(select(*parts))).one())


def _digest(*columns: ColumnElement[Any]) -> ScalarSelect[str]:
    row = func.concat_ws(",", *columns)
    return select(
        func.md5(func.string_agg(row, aggregate_order_by(literal(";"), columns[0])))
    ).scalar_subquery()
