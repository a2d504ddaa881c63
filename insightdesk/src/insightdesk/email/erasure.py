"""What is left of a person in the outbox of mails: that there were some, and when."""

from __future__ import annotations

import re

from sqlalchemy import case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.tickets.models import Message

ERASED = "[erased]"


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Empty every mail to a person, and every one about a ticket on which she wrote, since it may quote her.

    What has not been sent is sent no more.

    Returns:
        How many mails there were.
    """
    to_her = or_(
        Delivery.user_id == user_id,
        Delivery.recipient.regexp_match(rf"(?<![\w.+-]){re.escape(email)}(?![\w-])", flags="i"),
    )
    quotes_her = Delivery.ticket_id.in_(select(Message.ticket_id).where(Message.author_id == user_id))
    waits = Delivery.state.in_([DeliveryState.QUEUED, DeliveryState.FAILED])
    emptied = await session.execute(
        update(Delivery)
        .where(Delivery.organization_id == organization_id, or_(to_her, quotes_her))
        .values(
            recipient=case((to_her, f"{user_id}@erased.invalid"), else_=Delivery.recipient),
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
