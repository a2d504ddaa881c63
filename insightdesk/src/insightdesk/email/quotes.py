"""What is left of a person in mails to others."""

from __future__ import annotations

from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.tickets.models import Message

ERASED = "[erased]"


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Empty every mail about a ticket on which a person wrote, since it may quote her.

    What has not been sent is sent no more.

    Returns:
        How many mails there were.
    """
    quotes_her = Delivery.ticket_id.in_(select(Message.ticket_id).where(Message.author_id == user_id))
    waits = Delivery.state.in_([DeliveryState.QUEUED, DeliveryState.FAILED])
    emptied = await session.execute(
        update(Delivery)
        .where(Delivery.organization_id == organization_id, quotes_her)
        .values(
            subject=ERASED,
            html=ERASED,
            text=ERASED,
            error=None,
            state=case((waits, DeliveryState.SUPPRESSED), else_=Delivery.state),
        )
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(emptied.all())
