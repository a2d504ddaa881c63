"""Notifications: kept in the inbox first, then shown on whatever screens are open."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from insightdesk.accounts.models import User
from insightdesk.database import transaction
from insightdesk.realtime.emitter import emit
from insightdesk.realtime.models import Notification
from insightdesk.tickets.models import Ticket

__all__ = ["notify"]


async def notify(
    key: str, ticket_id: str, action: str, actor_id: str | None, recipient_ids: list[str]
) -> None:
    """Stores one notification a recipient (once, however often the job runs) and emits it.

    The actor, strangers and people of another organization are left out.
    """
    async with transaction() as session:
        rows = await session.execute(
            select(User.id, Ticket.organization_id)
            .join(Ticket, Ticket.organization_id == User.organization_id)
            .where(Ticket.id == ticket_id, User.id.in_(set(recipient_ids)), User.active)
        )
        told = [(user, organization) for user, organization in rows.tuples() if user != actor_id]
        if told:
            await session.execute(
                insert(Notification)
                .values(
                    [
                        {
                            "id": str(uuid5(NAMESPACE_URL, f"{key}:{user}")),
                            "organization_id": organization,
                            "user_id": user,
                            "ticket_id": ticket_id,
                            "action": action,
                        }
                        for user, organization in told
                    ]
                )
                .on_conflict_do_nothing(index_elements=[Notification.id])
            )
    for user, _ in told:
        await emit(user, ticket_id, action)
