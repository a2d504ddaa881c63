"""Notifications: kept in the inbox first, then shown on whatever screens are open."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.email.kinds import Channel, NotificationKind
from insightdesk.email.preferences import opted_out
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound
from insightdesk.kit.pagination import PageRequest
from insightdesk.realtime import repository
from insightdesk.realtime.emitter import emit
from insightdesk.realtime.repository import Entry

__all__ = ["Inbox", "erase_person", "inbox", "mark_all_read", "mark_read", "notify", "unread_count"]

# The type of preference that an action falls under.
_TYPES = {
    "created": NotificationKind.TICKET_CREATED,
    "assigned": NotificationKind.ASSIGNMENT,
    "updated": NotificationKind.STATUS_CHANGE,
    "message_added": NotificationKind.NEW_MESSAGE,
    "resolved": NotificationKind.TICKET_RESOLVED,
    "closed": NotificationKind.TICKET_CLOSED,
    "sla_warning": NotificationKind.SLA_WARNING,
    "sla_breach": NotificationKind.SLA_BREACH,
}


@dataclass(frozen=True)
class Inbox:
    """A page of a person's inbox, newest first; how many entries there are, and how many are unread."""

    entries: Collection[Entry]
    total: int
    unread: int


async def notify(
    key: str, ticket_id: str, action: str, actor_id: str | None, recipient_ids: Collection[str]
) -> None:
    """Stores one notification a recipient (once, however often the job runs) and emits it.

    The actor, strangers, people of another organization and those who do not want it are left out.
    """
    wanted = set(recipient_ids) - {actor_id}
    async with transaction() as session:
        if action in _TYPES:
            wanted -= await opted_out(session, wanted, _TYPES[action], Channel.IN_APP)
        recipients = await repository.members(session, ticket_id, wanted)
        if recipients:
            await repository.store(session, key, ticket_id, action, recipients, clock.now())
    for recipient in recipients:
        await emit(recipient.user_id, "notification", {"ticketId": ticket_id, "action": action})


async def inbox(session: AsyncSession, reader: Principal, page: PageRequest, *, unread_only: bool) -> Inbox:
    """A page of what the reader was told."""
    entries, total = await repository.entries(session, reader.user_id, page, unread_only=unread_only)
    return Inbox(entries, total, await repository.unread(session, reader.user_id))


async def unread_count(session: AsyncSession, reader: Principal) -> int:
    """How many entries the reader has not seen."""
    return await repository.unread(session, reader.user_id)


async def mark_read(session: AsyncSession, reader: Principal, notification_id: str, now: datetime) -> None:
    """Mark one entry as read; one that is keeps its first mark.

    Raises:
        NotFound: It is not in the reader's inbox.
    """
    if not await repository.mark(session, reader.user_id, notification_id, now):
        raise NotFound("notification not found")


async def mark_all_read(session: AsyncSession, reader: Principal, until: datetime, now: datetime) -> int:
    """Mark what came until a moment (what the reader has on the screen); returns how many were unread."""
    return await repository.mark_until(session, reader.user_id, until, now)


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Empty a person's inbox; returns how many entries there were."""
    return await repository.delete_of(session, organization_id, user_id)
