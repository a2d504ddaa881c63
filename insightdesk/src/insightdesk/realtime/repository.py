"""Queries on the inbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import User
from insightdesk.kit.pagination import PageRequest
from insightdesk.realtime.models import Notification
from insightdesk.tickets.models import Ticket


@dataclass(frozen=True)
class Recipient:
    """Somebody to be told, and the organization that he shares with the ticket."""

    user_id: str
    organization_id: str


@dataclass(frozen=True)
class Entry:
    """A notification, and the ticket that it speaks of."""

    id: str
    ticket_id: str
    ticket_number: int
    subject: str
    action: str
    created_at: datetime
    read_at: datetime | None


async def members(session: AsyncSession, ticket_id: str, user_ids: Collection[str]) -> Sequence[Recipient]:
    """Those of these people who are active and of the ticket's organization."""
    rows = await session.execute(
        select(User.id, User.organization_id)
        .join(Ticket, Ticket.organization_id == User.organization_id)
        .where(Ticket.id == ticket_id, User.id.in_(user_ids), User.active)
        .order_by(User.id)
    )
    return [Recipient(user_id, organization_id) for user_id, organization_id in rows]


async def store(
    session: AsyncSession,
    key: str,
    ticket_id: str,
    action: str,
    recipients: Sequence[Recipient],
    now: datetime,
) -> None:
    """One entry for each; its id follows from the job's key, so a second run finds it there."""
    rows = [
        {
            "id": str(uuid5(NAMESPACE_URL, f"{key}:{recipient.user_id}")),
            "organization_id": recipient.organization_id,
            "user_id": recipient.user_id,
            "ticket_id": ticket_id,
            "action": action,
            "created_at": now,
        }
        for recipient in recipients
    ]
    await session.execute(insert(Notification).on_conflict_do_nothing(index_elements=["id"]), rows)


async def entries(
    session: AsyncSession, user_id: str, page: PageRequest, *, unread_only: bool
) -> tuple[Sequence[Entry], int]:
    """A page of an inbox, newest first, and how many entries there are in all."""
    conditions = [Notification.user_id == user_id]
    if unread_only:
        conditions.append(Notification.read_at.is_(None))
    total = await session.scalar(select(func.count()).select_from(Notification).where(*conditions))
    rows = await session.execute(
        select(
            Notification.id,
            Notification.ticket_id,
            Ticket.number,
            Ticket.subject,
            Notification.action,
            Notification.created_at,
            Notification.read_at,
        )
        .join(Ticket, Ticket.id == Notification.ticket_id)
        .where(*conditions)
        .order_by(Notification.created_at.desc(), Notification.id.desc())
        .offset(page.offset)
        .limit(page.page_size)
    )
    return [Entry(*row) for row in rows], total or 0


async def unread(session: AsyncSession, user_id: str) -> int:
    """How many entries nobody has seen."""
    query = select(func.count()).select_from(Notification)
    return (
        await session.scalar(query.where(Notification.user_id == user_id, Notification.read_at.is_(None)))
        or 0
    )


async def mark(session: AsyncSession, user_id: str, notification_id: str, now: datetime) -> bool:
    """Mark an entry as read; False when the inbox has none such."""
    marked = await session.scalar(
        update(Notification)
        .where(Notification.id == notification_id, Notification.user_id == user_id)
        .values(read_at=func.coalesce(Notification.read_at, now))
        .returning(Notification.id)
    )
    return marked is not None


async def mark_until(session: AsyncSession, user_id: str, until: datetime, now: datetime) -> int:
    """Mark all unread entries that came until a moment; returns how many."""
    marked = await session.scalars(
        update(Notification)
        .where(
            Notification.user_id == user_id, Notification.read_at.is_(None), Notification.created_at <= until
        )
        .values(read_at=now)
        .returning(Notification.id)
    )
    return len(marked.all())


async def delete_of(session: AsyncSession, organization_id: str, user_id: str) -> int:
    """Remove a person's entries; returns how many there were."""
    deleted = await session.scalars(
        delete(Notification)
        .where(Notification.organization_id == organization_id, Notification.user_id == user_id)
        .returning(Notification.id)
    )
    return len(deleted.all())
