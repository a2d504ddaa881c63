"""Mails that open a door: what they say is for those whom they were sent to."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.email.models import Delivery
from insightdesk.settings import get_settings

__all__ = ["for_reader"]

_OPENS_A_DOOR = frozenset({"password_reset"})
_NOTE = "What this mail says is for its recipient alone."


def for_reader(session: AsyncSession, delivery: Delivery, reader_id: str) -> Delivery:
    """The mail as somebody may see it who may know that there was one.

    A link for a new password makes whoever reads it the recipient, so others get a note instead. Where mails
    go no further than our own outbox (`local:`), that outbox is the only place to read them.
    """
    hidden = delivery.template in _OPENS_A_DOOR and delivery.user_id != reader_id
    if hidden and not get_settings().email_url.startswith("local:"):
        session.expunge(delivery)  # what is shown instead is never stored
        delivery.html = delivery.text = _NOTE
    return delivery
