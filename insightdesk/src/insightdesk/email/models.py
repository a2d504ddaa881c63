"""Deliveries: every mail that was to be sent, and what became of it."""

from __future__ import annotations

from datetime import datetime, time
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Owned, text_enum
from insightdesk.email.kinds import Channel


class DeliveryState(StrEnum):
    """What became of a mail."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    SUPPRESSED = "suppressed"
    FAILED = "failed"


UNSENT = text("state IN ('queued', 'sending')")
"""The deliveries that a job is to hand over: the condition of a partial index, word for word."""


class Delivery(Owned, Base):
    """One mail to one recipient. The key makes a retried job find it instead of a second.

    Attributes:
        provider: who has it, or had the last try; a mail whose fate is unknown is asked for there alone.
        provider_message_id: the provider's own id of the mail, by which its webhooks name it.
        handed_over_at: when the last try began to hand it over; from then on its fate is unknown until the
            provider has answered.
        extra_sends: how often it was sent again though the first may have arrived (0 or 1).
        looked_for_at: when somebody last saw to it that a job hands it over; see `recovery`.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("organization_id", "idempotency_key"),
        Index("ix_deliveries_provider_message_id", "provider_message_id"),
        Index("ix_deliveries_recent", "organization_id", "created_at"),
        Index("ix_deliveries_recipient", "organization_id", "recipient", "created_at"),
        Index("ix_deliveries_unsent", "looked_for_at", "id", postgresql_where=UNSENT),
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
    unsubscribe_url: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    looked_for_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MailProvider(Base):
    """What all processes together know of a provider: its circuit and its rate limit; see `circuit`."""

    __tablename__ = "mail_providers"

    name: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    open_until: Mapped[datetime | None]
    next_slot: Mapped[datetime | None]
    last_error: Mapped[str | None]
    last_error_at: Mapped[datetime | None]


class SuppressionReason(StrEnum):
    """Why an address gets no mail any more."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    MANUAL = "manual"


class Suppression(Owned, Base):
    """An address to which an organization sends nothing more."""

    __tablename__ = "mail_suppressions"
    __table_args__ = (UniqueConstraint("organization_id", "address"),)

    address: Mapped[str]
    reason: Mapped[SuppressionReason] = mapped_column(text_enum(SuppressionReason, "reason"))
    detail: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MailPreference(Owned, Base):
    """Whether a person wants one type of news by one channel; absent: yes."""

    __tablename__ = "mail_preferences"
    __table_args__ = (UniqueConstraint("user_id", "type", "channel"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    type: Mapped[str]
    channel: Mapped[Channel] = mapped_column(text_enum(Channel, "channel"))
    wanted: Mapped[bool]


class QuietHours(Owned, Base):
    """When a person wants no mail that can wait, by the clock on her wall; may go over midnight."""

    __tablename__ = "mail_quiet_hours"
    __table_args__ = (UniqueConstraint("user_id"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    starts: Mapped[time]
    ends: Mapped[time]
    # The organization's zone where the person has named none.
    time_zone: Mapped[str | None]


class MailWindow(Owned, Base):
    """What one person is told of one ticket in one respect: a mail at once, then one when it closes.

    Attributes:
        closes_at: until then further notices are gathered; None when nothing is held back.
    """

    __tablename__ = "mail_windows"
    __table_args__ = (UniqueConstraint("ticket_id", "user_id", "kind"),)

    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]  # a NotificationKind
    closes_at: Mapped[datetime | None]


class MailNotice(Owned, Base):
    """One thing to tell in a window, and the delivery that told it."""

    __tablename__ = "mail_notices"
    __table_args__ = (
        UniqueConstraint("organization_id", "key"),
        Index("ix_mail_notices_untold", "window_id", postgresql_where=text("told_at IS NULL")),
    )

    window_id: Mapped[str] = mapped_column(ForeignKey("mail_windows.id", ondelete="CASCADE"), index=True)
    key: Mapped[str]
    message_id: Mapped[str | None] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    delivery_id: Mapped[str | None]
    created_at: Mapped[datetime]
    told_at: Mapped[datetime | None]


class WebhookCall(Base):
    """A call of a provider that was served, so that a copy of it is not."""

    __tablename__ = "mail_webhook_calls"

    id: Mapped[str] = mapped_column(primary_key=True)
    timestamp: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(index=True)
