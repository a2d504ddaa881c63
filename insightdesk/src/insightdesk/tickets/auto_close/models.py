"""What an organization wants of auto-close; one that has said nothing has no row."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, text_enum

DEFAULT_AFTER_DAYS = 7
MAX_AFTER_DAYS = 365


class LateReply(StrEnum):
    """What a customer's reply to a closed ticket does."""

    REOPEN = "reopen"
    FOLLOW_UP = "follow_up"


class AutoCloseSettings(Base):
    """One organization's own rules. ``after_days`` is None where resolved tickets stay resolved."""

    __tablename__ = "auto_close_settings"
    __table_args__ = (CheckConstraint(f"after_days BETWEEN 1 AND {MAX_AFTER_DAYS}", name="after_days"),)

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    )
    after_days: Mapped[int | None] = mapped_column(default=DEFAULT_AFTER_DAYS)
    late_reply: Mapped[LateReply] = mapped_column(
        text_enum(LateReply, "late_reply"), default=LateReply.REOPEN
    )
