"""What travels over REST to administrators."""

from __future__ import annotations

from datetime import datetime

from insightdesk.email.models import DeliveryState
from insightdesk.kit.schema import Schema


class DeliveryView(Schema):
    """A mail and what became of it."""

    id: str
    recipient: str
    user_id: str | None
    ticket_id: str | None
    template: str
    subject: str
    state: DeliveryState
    attempts: int
    error: str | None
    message_id: str | None
    created_at: datetime
    sent_at: datetime | None


class DeliveryDetail(DeliveryView):
    """A mail with its bodies."""

    html: str
    text: str
