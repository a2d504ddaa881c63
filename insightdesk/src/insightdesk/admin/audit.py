"""The audit log of an organization: who changed what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import AuditEntry, User
from insightdesk.kit.pagination import PageRequest

__all__ = ["AuditFilter", "AuditRow", "list_entries"]


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are wanted; None leaves a condition out.

    Attributes:
        actor_id: who did it.
        action: what was done, or the first part of it: `dead_letter` finds `dead_letter.replayed`.
        subject_id: to what.
        since, until: from when on, and before when.
    """

    actor_id: str | None = None
    action: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class AuditRow:
    """An entry with the name of who did it; None for a program, the operator, or somebody erased."""

    entry: AuditEntry
    actor: str | None


async def list_entries(
    session: AsyncSession, organization_id: str, wanted: AuditFilter, page: PageRequest
) -> tuple[Sequence[AuditRow], int]:
    """A page of entries, the newest first, and how many there are in all."""
    conditions = [AuditEntry.organization_id == organization_id]
    if wanted.actor_id is not None:
        conditions.append(AuditEntry.actor_id == wanted.actor_id)
    if wanted.action is not None:
        conditions.append(AuditEntry.action.startswith(wanted.action, autoescape=True))
    if wanted.subject_id is not None:
        conditions.append(AuditEntry.subject_id == wanted.subject_id)
    if wanted.since is not None:
        conditions.append(AuditEntry.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditEntry.created_at < wanted.until)
    total = await session.scalar(select(func.count()).select_from(AuditEntry).where(*conditions))
    rows = await session.execute(
        select(AuditEntry, User.name)
        .join(User, User.id == AuditEntry.actor_id, isouter=True)
        .where(*conditions)
        .order_by(AuditEntry.created_at.desc(), AuditEntry.id.desc())
        .offset(page.offset)
        .limit(page.page_size)
    )
    return [AuditRow(entry, actor) for entry, actor in rows], total or 0
