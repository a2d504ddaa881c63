"""Dead letters, and how far each queue's events have been read for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Identified


class DeadLetter(Identified, Base):
    """A job that failed for good.

    Attributes:
        organization_id: whose it is, by its payload; None if that tells nobody, or several. Such a letter
            is shown to no organization.
        data: the payload with what is personal taken out; what people see.
        payload: the payload itself as JSON text, for a replay; None if it was erased, too large or no JSON.
        options: what the job was added with; see `insightdesk.dead_letters.replaying`.
        attempts: how many runs had ended.
        stalls: how often its worker had died.
        replay_of: the letter whose replay this job was.
    """

    __tablename__ = "dead_letters"
    __table_args__ = (
        UniqueConstraint("queue", "job_id", "failed_at"),
        Index("ix_dead_letters_recent", "organization_id", "failed_at"),
        Index("ix_dead_letters_group", "fingerprint", "organization_id", "failed_at"),
        Index("ix_dead_letters_failed_at", "failed_at"),
    )

    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    queue: Mapped[str]
    job_id: Mapped[str]
    name: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    payload: Mapped[str | None] = mapped_column(deferred=True)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    error_class: Mapped[str]
    error: Mapped[str]
    trace: Mapped[str] = mapped_column(deferred=True)
    fingerprint: Mapped[str]
    attempts: Mapped[int]
    stalls: Mapped[int]
    failed_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    replay_of: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    note: Mapped[str | None]
    retried_at: Mapped[datetime | None]
    retried_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class FailureCursor(Base):
    """The last event of a queue whose failures are all recorded. The installation's, not a tenant's."""

    __tablename__ = "dead_letter_cursors"

    queue: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[str]
    saved_at: Mapped[datetime]


class AlertSettings(Base):
    """How an organization is told of its letters; without a row, by mail to its administrators."""

    __tablename__ = "dead_letter_alert_settings"

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    )
    mail: Mapped[bool]
    webhook_url: Mapped[str | None]
    webhook_secret: Mapped[str | None]


class Alert(Identified, Base):
    """Somebody is told of a kind of failure, by one of its letters.

    Attributes:
        owner: the organization's id, or an empty text where the letter is nobody's; with the hour since 1970
            it makes an alert one.
    """

    __tablename__ = "dead_letter_alerts"
    __table_args__ = (UniqueConstraint("owner", "fingerprint", "hour"),)

    owner: Mapped[str]
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    fingerprint: Mapped[str]
    letter_id: Mapped[str] = mapped_column(ForeignKey("dead_letters.id", ondelete="CASCADE"), index=True)
    hour: Mapped[int]
    raised_at: Mapped[datetime]
