"""Tickets, their messages and participants."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Owned, text_enum


class TicketStatus(StrEnum):
    """Where a ticket stands. ``pending`` waits on the customer."""

    OPEN = "open"
    PENDING = "pending"
    RESOLVED = "resolved"
    CLOSED = "closed"

    @property
    def is_done(self) -> bool:
        """Whether nothing more is owed to the customer."""
        return self in (TicketStatus.RESOLVED, TicketStatus.CLOSED)


class Priority(StrEnum):
    """How soon a ticket needs somebody."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Visibility(StrEnum):
    """Who may read a message: everybody on the ticket, or staff alone."""

    PUBLIC = "public"
    INTERNAL = "internal"


NO_AUTO_CLOSE = "no-auto-close"
"""The tag of a ticket that stays resolved until a person closes it."""

AUTO_CLOSABLE = text(f"status = 'resolved' AND NOT tags @> ARRAY['{NO_AUTO_CLOSE}'::text]")
"""The tickets that may close by themselves: the condition of a partial index, word for word."""


UNSOLVED = text("status IN ('open', 'pending')")
"""The tickets that somebody still works on: the condition of a partial index, word for word."""


class Ticket(Owned, Base):
    """What a customer asks for."""

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("organization_id", "number"),
        Index("ix_tickets_recent", "organization_id", "created_at"),
        Index("ix_tickets_customer", "customer_id"),
        Index("ix_tickets_assignee", "assignee_id"),
        Index(
            "ix_tickets_unsolved", "organization_id", "assignee_id", "created_at", postgresql_where=UNSOLVED
        ),
        Index(
            "ix_tickets_closed", "organization_id", "closed_at", postgresql_where=text("status = 'closed'")
        ),
        Index("ix_tickets_resolved", "organization_id", "resolved_at"),
        Index("ix_tickets_auto_close", "resolved_at", "id", postgresql_where=AUTO_CLOSABLE),
    )

    number: Mapped[int]
    subject: Mapped[str]
    status: Mapped[TicketStatus] = mapped_column(text_enum(TicketStatus, "status"), default=TicketStatus.OPEN)
    priority: Mapped[Priority] = mapped_column(text_enum(Priority, "priority"), default=Priority.NORMAL)
    customer_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    assignee_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_reason: Mapped[str | None]
    # When the customer was last told that the ticket will close by itself.
    close_warned_at: Mapped[datetime | None]
    follow_up_of: Mapped[str | None] = mapped_column(
        ForeignKey("tickets.id", ondelete="SET NULL"), index=True
    )
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default=text("'{}'"))


class Message(Owned, Base):
    """One thing said on a ticket."""

    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_ticket", "ticket_id", "created_at"),)

    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"))
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str]
    visibility: Mapped[Visibility] = mapped_column(
        text_enum(Visibility, "visibility"), default=Visibility.PUBLIC
    )
    created_at: Mapped[datetime]


class Participant(Owned, Base):
    """A person who is told of what happens on a ticket."""

    __tablename__ = "participants"
    __table_args__ = (UniqueConstraint("ticket_id", "user_id"),)

    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
