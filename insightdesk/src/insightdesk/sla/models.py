"""Policies, the clocks that run on tickets, and breaches."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Owned, text_enum
from insightdesk.tickets.models import Priority


class Metric(StrEnum):
    """What a clock measures."""

    FIRST_RESPONSE = "first_response"
    RESOLUTION = "resolution"


class SlaPolicy(Owned, Base):
    """What an organization promises: to the tickets of one team, or, without a team, to all others."""

    __tablename__ = "sla_policies"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        Index(
            "uq_sla_policies_team",
            "organization_id",
            "team_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    name: Mapped[str]
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id", ondelete="RESTRICT"))


class SlaTarget(Owned, Base):
    """A policy's targets for one priority. Fractions of a minute are allowed; None promises nothing."""

    __tablename__ = "sla_targets"
    __table_args__ = (
        UniqueConstraint("policy_id", "priority"),
        CheckConstraint("first_response_minutes > 0 AND resolution_minutes > 0", name="positive"),
    )

    policy_id: Mapped[str] = mapped_column(ForeignKey("sla_policies.id", ondelete="CASCADE"))
    priority: Mapped[Priority] = mapped_column(text_enum(Priority, "priority"))
    first_response_minutes: Mapped[float | None]
    resolution_minutes: Mapped[float | None]


class SlaClock(Owned, Base):
    """One promise running on one ticket.

    ``due_at`` is the deadline while the clock runs. While it is paused, ``remaining_seconds`` is what
    is left. ``version`` rises whenever the deadline changes, so a check for an older one is stale.
    """

    __tablename__ = "sla_clocks"
    __table_args__ = (
        UniqueConstraint("ticket_id", "metric", "cycle"),
        # What the scan reads: its cost follows what is due, not what is open.
        Index(
            "ix_sla_clocks_due",
            "due_at",
            postgresql_where=text("fulfilled_at IS NULL AND breached_at IS NULL AND paused_since IS NULL"),
        ),
        # What attainment reads: the moment at which a promise was kept or broken.
        Index(
            "ix_sla_clocks_outcome",
            "organization_id",
            text("coalesce(breached_at, fulfilled_at)"),
            postgresql_where=text("breached_at IS NOT NULL OR fulfilled_at IS NOT NULL"),
        ),
    )

    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"))
    # Whose promise it is, and the team that has to keep it; both as they were when the clock ended.
    policy_id: Mapped[str | None] = mapped_column(
        ForeignKey("sla_policies.id", ondelete="SET NULL"), index=True
    )
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id", ondelete="SET NULL"), index=True)
    metric: Mapped[Metric] = mapped_column(text_enum(Metric, "metric"))
    cycle: Mapped[int] = mapped_column(default=1)
    target_seconds: Mapped[float]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    paused_since: Mapped[datetime | None]
    remaining_seconds: Mapped[float | None]
    warned_at: Mapped[datetime | None]
    fulfilled_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    # The version whose check was handed to the queue; the scan stages those that were too far away.
    staged_version: Mapped[int] = mapped_column(default=0)


class SlaBreach(Owned, Base):
    """A promise that was broken, at the moment of its deadline; recorded once."""

    __tablename__ = "sla_breaches"
    __table_args__ = (
        UniqueConstraint("ticket_id", "metric", "cycle"),
        Index("ix_sla_breaches_recent", "organization_id", "breached_at"),
    )

    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"))
    clock_id: Mapped[str] = mapped_column(ForeignKey("sla_clocks.id", ondelete="CASCADE"), index=True)
    metric: Mapped[Metric] = mapped_column(text_enum(Metric, "metric"))
    cycle: Mapped[int]
    breached_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
