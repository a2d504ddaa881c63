"""Deliveries: every mail that was to be sent, and what became of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Owned, text_enum


class DeliveryState(StrEnum):
    """What became of a mail."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    SUPPRESSED = "suppressed"
    FAILED = "failed"


class Delivery(Owned, Base):
    """One mail to one recipient. The key makes a retried job find it instead of a second.

    Attributes:
        provider: who has it, or had the last try; a mail whose fate is unknown is asked for there alone.
        provider_message_id: the provider's own id of the mail, by which its webhooks name it.
        handed_over_at: when the last try began to hand it over; from then on its fate is unknown until the
            provider has answered.
        extra_sends: how often it was sent again though the first may have arrived (0 or 1).
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("organization_id", "idempotency_key"),
        Index("ix_deliveries_provider_message_id", "provider_message_id"),
        Index("ix_deliveries_recent", "organization_id", "created_at"),
        Index("ix_deliveries_recipient", "organization_id", "recipient", "created_at"),
    )

    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    ticket_id: Mapped[str | None] = mapped_column(ForeignKey("tickets.id", ondelete="SET NULL"), index=True)
    recipient: Mapped[str]
    template: Mapped[str]
    subject: Mapped[str]
    html: Mapped[str]
    text: Mapped[str]
    state: Mapped[DeliveryState] = mapped_column(
        text_enum(DeliveryState, "state"), default=DeliveryState.QUEUED
    )
    idempotency_key: Mapped[str]
    message_id: Mapped[str]
    provider: Mapped[str | None]
    provider_message_id: Mapped[str | None]
    handed_over_at: Mapped[datetime | None]
    extra_sends: Mapped[int] = mapped_column(default=0, server_default="0")
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
