"""Limits of an organization, its archive, and the receipts of erasures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Owned

MAX_DAYS = 36_500


class RetentionSettings(Base):
    """One organization's own limits, in days of 24 hours; one that has said nothing has no row."""

    __tablename__ = "retention_settings"
    __table_args__ = (
        CheckConstraint("purge_after_days >= archive_after_days", name="archive_before_purge"),
        CheckConstraint(
            "least(archive_after_days, delivery_days, notification_days, audit_days) > 0",
            name="positive",
        ),
    )

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    )
    archive_after_days: Mapped[int]
    purge_after_days: Mapped[int]
    delivery_days: Mapped[int]
    notification_days: Mapped[int]
    audit_days: Mapped[int]


class ArchivedTicket(Owned, Base):
    """A ticket that left the desk, with all that was said on it, as one document. Its id is the ticket's."""

    __tablename__ = "archived_tickets"
    __table_args__ = (
        Index("ix_archived_tickets_closed_at", "organization_id", "closed_at"),
        Index("ix_archived_tickets_number", "organization_id", "number", unique=True),
    )

    number: Mapped[int]
    subject: Mapped[str]
    customer_id: Mapped[str]
    closed_at: Mapped[datetime]
    archived_at: Mapped[datetime]
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ErasureReceipt(Owned, Base):
    """That a person was erased: when, on whose word, and how many records of which kind. Not who it was:
    the id leads to a user without name and address.

    Attributes:
        records: how many were removed or rewritten, by kind.
        wanted: what is looked for in the queues, her name and address; None once all of it is gone.
        completed_at: when the last job that carried her was gone; None while some are left.
    """

    __tablename__ = "erasure_receipts"
    __table_args__ = (Index("ix_erasure_receipts_recent", "organization_id", "requested_at"),)

    user_id: Mapped[str]
    requested_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    requested_at: Mapped[datetime]
    records: Mapped[dict[str, int]] = mapped_column(JSONB)
    wanted: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    completed_at: Mapped[datetime | None]
