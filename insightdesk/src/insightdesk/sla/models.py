"""Policies, calendars, the clocks that run on tickets, breaches and what follows them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Owned, text_enum
from insightdesk.tickets.models import Priority


class Metric(StrEnum):
    """What a clock measures."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"


class EscalationAction(StrEnum):
    """What an escalation step does to a ticket whose promise is broken."""

    REASSIGN = "reassign"
    RAISE_PRIORITY = "raise_priority"
    TELL_TEAM = "tell_team"


class SlaCalendar(Owned, Base):
    """When an organization works; a policy without a calendar counts round the clock."""

    __tablename__ = "sla_calendars"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    name: Mapped[str]
    time_zone: Mapped[str]
    # [[weekday (0: Monday), opens, closes], …], both in minutes after midnight.
    openings: Mapped[list[list[int]]] = mapped_column(JSONB)
    country: Mapped[str | None]
    subdivision: Mapped[str | None]
    # ["2026-12-24", …]
    own_days: Mapped[list[str]] = mapped_column(JSONB)
    changed_at: Mapped[datetime]


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
    calendar_id: Mapped[str | None] = mapped_column(
        ForeignKey("sla_calendars.id", ondelete="RESTRICT"), index=True
    )
    # Deadlines that had passed by then stand; later ones follow the policy as it is now.
    changed_at: Mapped[datetime]


class SlaChange(Base):
    """That an organization's rules were changed, and not all of its clocks follow yet; gone once they do.

    Attributes:
        looked_for_at: when somebody last saw to it that a job is there for it.
    """

    __tablename__ = "sla_changes"

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    )
    changed_at: Mapped[datetime]
    looked_for_at: Mapped[datetime]


class SlaTarget(Owned, Base):
    """A policy's targets for one priority. Fractions of a minute are allowed; None promises nothing."""

    __tablename__ = "sla_targets"
    __table_args__ = (
        UniqueConstraint("policy_id", "priority"),
        CheckConstraint(
            "first_response_minutes > 0 AND next_response_minutes > 0 AND resolution_minutes > 0",
            name="positive",
        ),
    )

    policy_id: Mapped[str] = mapped_column(ForeignKey("sla_policies.id", ondelete="CASCADE"))
    priority: Mapped[Priority] = mapped_column(text_enum(Priority, "priority"))
    first_response_minutes: Mapped[float | None]
    next_response_minutes: Mapped[float | None]
    resolution_minutes: Mapped[float | None]


class SlaClock(Owned, Base):
    """One promise running on one ticket.

    ``started_at`` and ``pauses`` are what happened; ``warn_at``, ``due_at`` and ``remaining_seconds``
    (while paused) follow from them, the target and the calendar. ``next_at`` is when somebody must look:
    to warn, to record the breach, to take the next escalation step; None when there is nothing to come.
    ``version`` rises with it, so a check that was staged for another moment is known.
    """

    __tablename__ = "sla_clocks"
    __table_args__ = (
        UniqueConstraint("ticket_id", "metric", "cycle"),
        # What the scan reads: its cost follows what is due, not what is open.
        Index("ix_sla_clocks_next", "next_at", "id", postgresql_where=text("next_at IS NOT NULL")),
        Index(
            "ix_sla_clocks_unstaged",
            "next_at",
            postgresql_where=text("next_at IS NOT NULL AND staged_version < version"),
        ),
        # What the board and a change of rules read.
        Index("ix_sla_clocks_open", "organization_id", "id", postgresql_where=text("fulfilled_at IS NULL")),
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
    # [[since, until], …]; the last has no end while the clock is paused.
    pauses: Mapped[list[list[str | None]]] = mapped_column(JSONB, default=list)
    warn_at: Mapped[datetime]
    due_at: Mapped[datetime]
    paused_since: Mapped[datetime | None]
    remaining_seconds: Mapped[float | None]
    warned_at: Mapped[datetime | None]
    fulfilled_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    # The escalation steps up to so many minutes after the breach have been taken.
    escalated_minutes: Mapped[float | None]
    next_at: Mapped[datetime | None]
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


class SlaEscalationStep(Owned, Base):
    """What an organization does so long after a breach, if the promise is still open."""

    __tablename__ = "sla_escalation_steps"
    __table_args__ = (
        UniqueConstraint(
            "organization_id", "after_minutes", "action", "team_id", postgresql_nulls_not_distinct=True
        ),
        CheckConstraint("after_minutes >= 0", name="not_before"),
        CheckConstraint("(action = 'reassign') = (user_id IS NOT NULL)", name="user"),
        CheckConstraint("(action = 'tell_team') = (team_id IS NOT NULL)", name="team"),
    )

    after_minutes: Mapped[float]
    action: Mapped[EscalationAction] = mapped_column(text_enum(EscalationAction, "action"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id", ondelete="RESTRICT"))


class SlaEscalation(Owned, Base):
    """A step that was taken; once for each clock."""

    __tablename__ = "sla_escalations"
    __table_args__ = (
        UniqueConstraint(
            "clock_id", "after_minutes", "action", "team_id", postgresql_nulls_not_distinct=True
        ),
    )

    clock_id: Mapped[str] = mapped_column(ForeignKey("sla_clocks.id", ondelete="CASCADE"))
    after_minutes: Mapped[float]
    action: Mapped[EscalationAction] = mapped_column(text_enum(EscalationAction, "action"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id", ondelete="SET NULL"))
    taken_at: Mapped[datetime]
