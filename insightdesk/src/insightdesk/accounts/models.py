"""Organizations, their users, teams, tokens and the audit log."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Identified, Owned, text_enum


class Role(StrEnum):
    """What a user may do within the organization."""

    ADMIN = "admin"
    AGENT = "agent"
    CUSTOMER = "customer"

    @property
    def is_staff(self) -> bool:
        """Whether the person works for the organization."""
        return self is not Role.CUSTOMER


class Scope(StrEnum):
    """How much of what its user may do a token may do; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def covers(self, needed: Scope) -> bool:
        """Whether this is enough where ``needed`` is asked for."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


class Organization(Identified, Base):
    """A tenant. Everything else belongs to one."""

    __tablename__ = "organizations"

    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    time_zone: Mapped[str] = mapped_column(default="UTC")
    # The last ticket number given out; raised under the row's lock, so numbers have no doubles.
    last_ticket_number: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class User(Owned, Base):
    """A person: staff or a customer."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("organization_id", "email"),
        Index("ix_users_staff", "organization_id", "role"),
    )

    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(text_enum(Role, "role"))
    password_hash: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Team(Owned, Base):
    """Staff who share work: tickets may belong to a team, and a team may have promises of its own."""

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TeamMember(Owned, Base):
    """One of a team's staff."""

    __tablename__ = "team_members"
    __table_args__ = (UniqueConstraint("team_id", "user_id"),)

    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)


class ApiToken(Owned, Base):
    """A bearer token, of which only the SHA-256 is kept."""

    __tablename__ = "api_tokens"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    scope: Mapped[Scope] = mapped_column(text_enum(Scope, "scope"), default=Scope.ADMIN)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class LoginSession(Owned, Base):
    """A browser that is logged in; only the SHA-256 of its cookie is kept. It ends by being deleted."""

    __tablename__ = "login_sessions"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class PasswordReset(Owned, Base):
    """A link by which a person may choose a new password, once; only its token's SHA-256 is kept."""

    __tablename__ = "password_resets"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class LoginAttempt(Identified, Base):
    """A try to log in that failed or is under way, under one of the keys that limits count.

    Keys are digests: who was tried is not to be read here. Nobody is known yet, so it is no tenant's.
    """

    __tablename__ = "login_attempts"
    __table_args__ = (Index("ix_login_attempts_key", "key", "at"),)

    key: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)


class AuditEntry(Owned, Base):
    """Who changed what, and when."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_recent", "organization_id", "created_at"),)

    actor_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    action: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
