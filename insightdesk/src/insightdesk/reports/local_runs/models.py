"""Which organization's run of which local day has begun."""

from __future__ import annotations

import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base


class LocalRun(Base):
    """One run of an organization; its key lets it begin once, however many scans look."""

    __tablename__ = "local_runs"
    __table_args__ = (Index("ix_local_runs_begun_at", "organization_id", "begun_at"),)

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    )
    schedule: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[datetime.date] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime.datetime]
