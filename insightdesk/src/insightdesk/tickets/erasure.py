"""What is left of a person on tickets: that somebody wrote, and when."""

from __future__ import annotations

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.tickets.models import Message, Participant, Ticket

ERASED = "[erased]"


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Take out what a person wrote, and what her tickets were called; she takes part in none any more.

    What others wrote stays.

    Returns:
        How many records were changed.
    """
    quiet = {"synchronize_session": False}
    said = await session.execute(
        update(Message)
        .where(Message.organization_id == organization_id, Message.author_id == user_id)
        .values(body=ERASED)
        .returning(Message.id)
        .execution_options(**quiet)
    )
    asked = await session.execute(
        update(Ticket)
        .where(Ticket.organization_id == organization_id, Ticket.customer_id == user_id)
        .values(subject=ERASED)
        .returning(Ticket.id)
        .execution_options(**quiet)
    )
    took_part = await session.execute(
        delete(Participant)
        .where(Participant.organization_id == organization_id, Participant.user_id == user_id)
        .returning(Participant.id)
        .execution_options(**quiet)
    )
    return len(said.all()) + len(asked.all()) + len(took_part.all())
