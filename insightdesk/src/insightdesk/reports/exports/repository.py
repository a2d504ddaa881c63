"""Queries on exports."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.kit.pagination import PageRequest
from insightdesk.reports.exports.models import Export, ExportState

UNFINISHED = (ExportState.QUEUED, ExportState.RUNNING)


async def add(session: AsyncSession, export: Export) -> Export:
    """Store an export unless its key has one; returns the one that stands."""
    values = {
        column.key: getattr(export, column.key)
        for column in Export.__table__.columns
        if getattr(export, column.key) is not None
    }
    await session.execute(
        insert(Export).values(values).on_conflict_do_nothing(index_elements=[Export.job_key])
    )
    return (await session.scalars(select(Export).where(Export.job_key == export.job_key))).one()


async def lock_by_key(session: AsyncSession, job_key: str) -> Export | None:
    """The export that a job works on, locked."""
    return await session.scalar(select(Export).where(Export.job_key == job_key).with_for_update())


def _visible(requested_by: str | None) -> ColumnElement[bool]:
    """One person's own, or (None) all of the organization's."""
    return true() if requested_by is None else Export.requested_by == requested_by


async def export(
    session: AsyncSession, organization_id: str, export_id: str, *, requested_by: str | None
) -> Export | None:
    """An export of the organization, if the reader may see it."""
    return await session.scalar(
        select(Export).where(
            Export.id == export_id, Export.organization_id == organization_id, _visible(requested_by)
        )
    )


async def exports(
    session: AsyncSession, organization_id: str, page: PageRequest, *, requested_by: str | None
) -> tuple[Sequence[Export], int]:
    """A page of exports, newest first, and how many there are in all."""
    conditions = [Export.organization_id == organization_id, _visible(requested_by)]
    total = await session.scalar(select(func.count()).select_from(Export).where(*conditions))
    rows = await session.scalars(
        select(Export)
        .where(*conditions)
        .order_by(Export.created_at.desc(), Export.id.desc())
        .offset(page.offset)
        .limit(page.page_size)
    )
    return rows.all(), total or 0


async def count_unfinished(session: AsyncSession, user_id: str) -> int:
    """How many exports of this person are still to be made."""
    count = await session.scalar(
        select(func.count())
        .select_from(Export)
        .where(Export.requested_by == user_id, Export.state.in_(UNFINISHED))
    )
    return count or 0


async def set_progress(session: AsyncSession, export_id: str, done: int, total: int, now: datetime) -> None:
    """Note how far a running export is."""
    await session.execute(
        update(Export)
        .where(Export.id == export_id, Export.state == ExportState.RUNNING)
        .values(rows_done=done, rows_total=total, updated_at=now)
    )


async def finish(session: AsyncSession, export_id: str, **values: object) -> Export | None:
    """Write how a try ended; None when the export was finished by another."""
    return await session.scalar(
        update(Export)
        .where(Export.id == export_id, Export.state.in_(UNFINISHED))
        .values(**values)
        .returning(Export)
        .execution_options(populate_existing=True)
    )


async def expire(session: AsyncSession, now: datetime, limit: int) -> Sequence[str]:
    """Let exports whose time is over expire, the longest overdue first; returns the keys of their files."""
    due = (
        select(Export.id)
        .where(Export.state == ExportState.DONE, Export.expires_at <= now)
        .order_by(Export.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (
        await session.scalars(
            update(Export)
            .where(Export.id.in_(due))
            .values(state=ExportState.EXPIRED, updated_at=now)
            .returning(Export.storage_key)
        )
    ).all()


async def fail_lost(session: AsyncSession, before: datetime, now: datetime, reason: str) -> int:
    """Fail the unfinished exports of which nothing was heard since ``before``; returns how many."""
    found = await session.scalars(
        update(Export)
        .where(Export.state.in_(UNFINISHED), Export.updated_at < before)
        .values(state=ExportState.FAILED, error=reason, updated_at=now, finished_at=now)
        .returning(Export.id)
    )
    return len(found.all())


async def silent(session: AsyncSession, before: datetime, after: str, limit: int) -> Sequence[Export]:
    """The unfinished exports of which nothing was heard since ``before``, with ids beyond ``after``."""
    rows = await session.scalars(
        select(Export)
        .where(Export.state.in_(UNFINISHED), Export.updated_at < before, Export.id > after)
        .order_by(Export.id)
        .limit(limit)
    )
    return rows.all()


async def wanted(session: AsyncSession, keys: Collection[str]) -> set[str]:
    """Those of these files that an export still needs."""
    found = await session.scalars(
        select(Export.storage_key).where(
            Export.storage_key.in_(keys), Export.state.in_((*UNFINISHED, ExportState.DONE))
        )
    )
    return set(found)


async def end_all(session: AsyncSession, organization_id: str, now: datetime) -> int:
    """Let every file of the organization's exports expire now, and none appear that is under way; returns how
    many."""
    own = Export.organization_id == organization_id
    done = await session.scalars(
        update(Export)
        .where(own, Export.state == ExportState.DONE)
        .values(expires_at=now, updated_at=now)
        .returning(Export.id)
    )
    running = await session.scalars(
        update(Export)
        .where(own, Export.state == ExportState.RUNNING)
        .values(state=ExportState.FAILED, error="a person was erased meanwhile; ask again", updated_at=now)
        .returning(Export.id)
    )
    return len(done.all()) + len(running.all())
