"""Queries on dead letters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from insightdesk.dead_letters.models import DeadLetter, FailureCursor

Key = tuple[str, str, datetime]
"""(queue, job id, failed at): what makes a failure one letter."""


@dataclass(frozen=True)
class Wanted:
    """Which letters of an organization are meant; None leaves a condition out.

    Attributes:
        organization_id: whose; None for the operator of the installation, who sees all.
        open: those that nobody has resolved and nobody replays.
    """

    organization_id: str | None
    queue: str | None = None
    name: str | None = None
    fingerprint: str | None = None
    open: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions of a query."""
        found: list[ColumnElement[bool]] = []
        for column, value in (
            (DeadLetter.organization_id, self.organization_id),
            (DeadLetter.queue, self.queue),
            (DeadLetter.name, self.name),
            (DeadLetter.fingerprint, self.fingerprint),
        ):
            if value is not None:
                found.append(column == value)
        if self.open is not None:
            is_open = DeadLetter.resolved_at.is_(None) & DeadLetter.retried_at.is_(None)
            found.append(is_open if self.open else ~is_open)
        return found


@dataclass(frozen=True)
class Group:
    """Letters of one fingerprint.

    Attributes:
        error: the newest one's.
        total, open: how many, and how many of them nobody has resolved or replayed.
    """

    fingerprint: str
    queue: str
    name: str
    error_class: str
    error: str
    total: int
    open: int
    first_at: datetime
    last_at: datetime


async def known(session: AsyncSession, keys: Collection[Key]) -> set[Key]:
    """Those of the failures that are recorded."""
    columns = (DeadLetter.queue, DeadLetter.job_id, DeadLetter.failed_at)
    rows = await session.execute(select(*columns).where(tuple_(*columns).in_(keys)))
    return {(queue, job_id, failed_at) for queue, job_id, failed_at in rows}


async def store(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> Sequence[DeadLetter]:
    """Insert those that are not there yet, and return them."""
    statement = insert(DeadLetter).on_conflict_do_nothing(index_elements=["queue", "job_id", "failed_at"])
    return (await session.scalars(statement.returning(DeadLetter), rows)).all()


async def page(session: AsyncSession, wanted: Wanted, offset: int, limit: int) -> Sequence[DeadLetter]:
    """Letters, the newest first."""
    query = select(DeadLetter).where(*wanted.conditions())
    query = query.order_by(DeadLetter.failed_at.desc(), DeadLetter.id.desc())
    return (await session.scalars(query.offset(offset).limit(limit))).all()


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many letters there are."""
    return await session.scalar(select(func.count()).select_from(DeadLetter).where(*wanted.conditions())) or 0


async def groups(session: AsyncSession, wanted: Wanted, limit: int) -> Sequence[Group]:
    """Letters by fingerprint, the one with the newest failure first."""
    grouped = (
        select(
            DeadLetter.fingerprint,
            func.min(DeadLetter.queue).label("queue"),
            func.min(DeadLetter.name).label("name"),
            func.min(DeadLetter.error_class).label("error_class"),
            func.max(DeadLetter.id).label("newest"),
            func.count().label("total"),
            func.count()
            .filter(DeadLetter.resolved_at.is_(None), DeadLetter.retried_at.is_(None))
            .label("open"),
            func.min(DeadLetter.failed_at).label("first_at"),
            func.max(DeadLetter.failed_at).label("last_at"),
        )
        .where(*wanted.conditions())
        .group_by(DeadLetter.fingerprint)
        .order_by(func.max(DeadLetter.failed_at).desc())
        .limit(limit)
        .subquery()
    )
    query = (
        select(grouped, DeadLetter.error)
        .join(DeadLetter, DeadLetter.id == grouped.c.newest)
        .order_by(grouped.c.last_at.desc())
    )
    return [
        Group(
            fingerprint=row.fingerprint,
            queue=row.queue,
            name=row.name,
            error_class=row.error_class,
            error=row.error,
            total=row.total,
            open=row.open,
            first_at=row.first_at,
            last_at=row.last_at,
        )
        for row in await session.execute(query)
    ]


async def get(
    session: AsyncSession, letter_id: str, organization_id: str | None, *, for_update: bool = False
) -> DeadLetter | None:
    """One letter with its payload and stack trace, if the organization may see it."""
    query = select(DeadLetter).where(DeadLetter.id == letter_id)
    query = query.where(*Wanted(organization_id).conditions())
    query = query.options(undefer(DeadLetter.payload), undefer(DeadLetter.trace))
    return await session.scalar(query.with_for_update() if for_update else query)


def _replayable(wanted: Wanted) -> list[ColumnElement[bool]]:
    return [
        *wanted.conditions(),
        DeadLetter.retried_at.is_(None),
        DeadLetter.resolved_at.is_(None),
        DeadLetter.payload.is_not(None),
    ]


async def count_replayable(session: AsyncSession, wanted: Wanted) -> int:
    """How many letters can be replayed."""
    query = select(func.count()).select_from(DeadLetter).where(*_replayable(wanted))
    return await session.scalar(query) or 0


async def take_replayable(session: AsyncSession, wanted: Wanted, limit: int) -> Sequence[DeadLetter]:
    """Lock the oldest letters that can be replayed; those that another replay has locked are left to it."""
    query = select(DeadLetter).where(*_replayable(wanted)).order_by(DeadLetter.failed_at, DeadLetter.id)
    query = query.options(undefer(DeadLetter.payload)).limit(limit)
    return (await session.scalars(query.with_for_update(skip_locked=True))).all()


async def mark_retried(
    session: AsyncSession, ids: Collection[str], user_id: str | None, now: datetime
) -> None:
    """Note that these are replayed."""
    statement = update(DeadLetter).where(DeadLetter.id.in_(ids)).values(retried_at=now, retried_by=user_id)
    await session.execute(statement.execution_options(synchronize_session=False))


async def resolve(
    session: AsyncSession, where: Collection[ColumnElement[bool]], user_id: str | None, now: datetime
) -> int:
    """Resolve letters that are not yet; returns how many."""
    statement = (
        update(DeadLetter)
        .where(*where, DeadLetter.resolved_at.is_(None))
        .values(resolved_at=now, resolved_by=user_id)
        .returning(DeadLetter.id)
        .execution_options(synchronize_session=False)
    )
    return len((await session.scalars(statement)).all())


async def purge(
    session: AsyncSession, *, failed_before: datetime, resolved_before: datetime, limit: int
) -> int:
    """Remove up to `limit` letters that are older than either moment allows; returns how many."""
    old = (DeadLetter.failed_at < failed_before) | (
        (DeadLetter.failed_at < resolved_before) & DeadLetter.resolved_at.is_not(None)
    )
    picked = select(DeadLetter.id).where(old).order_by(DeadLetter.failed_at).limit(limit)
    gone = await session.scalars(delete(DeadLetter).where(DeadLetter.id.in_(picked)).returning(DeadLetter.id))
    return len(gone.all())


async def mentioning(
    session: AsyncSession, organization_id: str, words: Collection[str]
) -> Sequence[DeadLetter]:
    """Letters of the organization, and of none, that have one of the words anywhere; case does not count."""
    texts = (
        DeadLetter.payload,
        DeadLetter.error,
        DeadLetter.trace,
        DeadLetter.note,
        DeadLetter.data.cast(Text),
    )
    found = or_(*(column.icontains(word, autoescape=True) for word in words for column in texts))
    whose = or_(DeadLetter.organization_id == organization_id, DeadLetter.organization_id.is_(None))
    query = select(DeadLetter).where(whose, found)
    query = query.options(undefer(DeadLetter.payload), undefer(DeadLetter.trace))
    return (await session.scalars(query.with_for_update())).all()


async def cursor_of(session: AsyncSession, queue: str) -> str | None:
    """The last event of a queue whose failures are recorded; None before the first look."""
    return await session.scalar(select(FailureCursor.cursor).where(FailureCursor.queue == queue))


async def save_cursor(session: AsyncSession, queue: str, cursor: str, now: datetime) -> None:
    """Note that all failures up to an event are recorded."""
    values = {"cursor": cursor, "saved_at": now}
    statement = insert(FailureCursor).values(queue=queue, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["queue"], set_=values))
