"""What travels over REST to administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from insightdesk.admin.audit import AuditRow
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


class AuditView(Schema):
    """Who changed what, and when."""

    id: str
    actor_id: str | None
    actor_name: str | None
    action: str
    subject_type: str
    subject_id: str
    details: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, row: AuditRow) -> AuditView:
        """Of an entry with its actor's name."""
        entry = row.entry
        return cls(
            id=entry.id,
            actor_id=entry.actor_id,
            actor_name=row.actor,
            action=entry.action,
            subject_type=entry.subject_type,
            subject_id=entry.subject_id,
            details=entry.details,
            created_at=entry.created_at,
        )
