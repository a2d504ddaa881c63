"""Queries on tickets, messages and participants."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Organization
from insightdesk.database import new_id
from insightdesk.kit.pagination import PageRequest
from insightdesk.tickets.models import UNSOLVED, Message, Participant, Ticket, TicketStatus, Visibility


async def next_number(session: AsyncSession, organization_id: str) -> int:
    """The organization's next ticket number; given back if the transaction fails."""
    number: int | None = await session.scalar(
        update(Organization)
        .where(Organization.id == organization_id)
        .values(last_ticket_number=Organization.last_ticket_number + 1)
        .returning(Organization.last_ticket_number)
    )
    if number is None:
        raise LookupError(f"organization {organization_id} does not exist")
    return number


def _readable(customer_id: str | None) -> ColumnElement[bool]:
    """Staff (None) read every ticket of the organization, a customer his own and where he takes part."""
    if customer_id is None:
        return true()
    takes_part = select(Participant.ticket_id).where(Participant.user_id == customer_id)
    return (Ticket.customer_id == customer_id) | Ticket.id.in_(takes_part)


async def ticket(
    session: AsyncSession,
    organization_id: str,
    ticket_id: str,
    *,
    customer_id: str | None,
    for_update: bool = False,
) -> Ticket | None:
    """A ticket of the organization, if the reader may see it."""
    query = select(Ticket).where(
        Ticket.id == ticket_id, Ticket.organization_id == organization_id, _readable(customer_id)
    )
    if for_update:
        # Not the strongest lock: rows that refer to the ticket (a breach) may be added meanwhile.
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return await session.scalar(query)


async def tickets(
    session: AsyncSession,
    organization_id: str,
    page: PageRequest,
    *,
    customer_id: str | None,
    status: TicketStatus | None,
    tag: str | None,
) -> tuple[Sequence[Ticket], int]:
    """A page of tickets, newest first, and how many there are in all."""
    conditions = [Ticket.organization_id == organization_id, _readable(customer_id)]
    if status is not None:
        conditions.append(Ticket.status == status)
    if tag is not None:
        conditions.append(Ticket.tags.contains([tag]))
    total = await session.scalar(select(func.count()).select_from(Ticket).where(*conditions))
    rows = await session.scalars(
        select(Ticket)
        .where(*conditions)
        .order_by(Ticket.created_at.desc(), Ticket.id.desc())
        .offset(page.offset)
        .limit(page.page_size)
    )
    return rows.all(), total or 0


async def messages(session: AsyncSession, ticket_id: str, *, internal: bool) -> Sequence[Message]:
    """What was said on a ticket, oldest first; with internal notes for staff."""
    query = select(Message).where(Message.ticket_id == ticket_id)
    if not internal:
        query = query.where(Message.visibility == Visibility.PUBLIC)
    return (await session.scalars(query.order_by(Message.created_at, Message.id))).all()


async def add_participants(
    session: AsyncSession, ticket: Ticket, user_ids: Collection[str], now: datetime
) -> None:
    """Let people be told of what happens; those who already are stay."""
    rows = [
        {
            "id": new_id(),
            "organization_id": ticket.organization_id,
            "ticket_id": ticket.id,
            "user_id": user_id,
            "created_at": now,
        }
        for user_id in user_ids
    ]
    await session.execute(
        insert(Participant).on_conflict_do_nothing(index_elements=["ticket_id", "user_id"]), rows
    )


async def participant_ids(session: AsyncSession, ticket_id: str) -> set[str]:
    """Who is told of what happens on a ticket."""
    return set(await session.scalars(select(Participant.user_id).where(Participant.ticket_id == ticket_id)))


async def tags_of_unsolved(session: AsyncSession, organization_id: str) -> dict[str, int]:
    """Each tag of the tickets that somebody still works on, by the alphabet, and on how many it is."""
    each = (
        select(func.unnest(Ticket.tags).label("tag"))
        .where(Ticket.organization_id == organization_id, UNSOLVED)
        .subquery()
    )
    rows = await session.execute(select(each.c.tag, func.count()).group_by(each.c.tag).order_by(each.c.tag))
    return dict(rows.all())


async def unsolved_with_tag(
    session: AsyncSession, organization_id: str, tag: str, limit: int
) -> Sequence[Ticket]:
    """The newest tickets with a tag that somebody still works on."""
    rows = await session.scalars(
        select(Ticket)
        .where(Ticket.organization_id == organization_id, UNSOLVED, Ticket.tags.contains([tag]))
        .order_by(Ticket.created_at.desc(), Ticket.id.desc())
        .limit(limit)
    )
    return rows.all()


async def owners(session: AsyncSession, ticket_ids: Collection[str]) -> Sequence[tuple[str, str]]:
    """(ticket, organization) for each of the tickets that exists."""
    query = select(Ticket.id, Ticket.organization_id).where(Ticket.id.in_(ticket_ids))
    return [(value, organization) for value, organization in await session.execute(query)]
