"""Set-based statements of retention; each works on a bounded batch, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Interval,
    Table,
    case,
    delete,
    func,
    literal,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Organization
from insightdesk.retention.limits import LIMIT_NAMES, Kept, Limits
from insightdesk.retention.models import ErasureReceipt, RetentionSettings
from insightdesk.tickets.models import Ticket, TicketStatus

_DEFAULTS = Limits()


async def settings_of(session: AsyncSession, organization_id: str) -> RetentionSettings | None:
    """The organization's own limits, if it has any."""
    return await session.get(RetentionSettings, organization_id)


async def put_settings(session: AsyncSession, organization_id: str, limits: Limits) -> None:
    """Set the organization's limits."""
    values = {name: getattr(limits, name) for name in LIMIT_NAMES}
    statement = insert(RetentionSettings).values(organization_id=organization_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["organization_id"], set_=values))


def _cutoff(limit: str | timedelta, now: datetime) -> ColumnElement[datetime]:
    """The moment before which rows of an organization (and its settings, outer-joined) are too old."""
    at = literal(now, DateTime(timezone=True))
    if isinstance(limit, timedelta):
        return at - literal(limit, Interval())
    days = case(
        (RetentionSettings.organization_id.is_(None), getattr(_DEFAULTS, limit)),
        else_=getattr(RetentionSettings, limit),
    )
    # Days are counted as 24 hours: PostgreSQL's own days would follow the session's time zone.
    return at - func.make_interval(0, 0, 0, 0, days * 24, type_=Interval())


async def purge(session: AsyncSession, kept: Kept, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` rows that are older than their organization allows; returns how many.

    Each organization's oldest rows are found by its own index, so the cost follows what is deleted.
    """
    table = kept.moment.class_.__table__
    assert isinstance(table, Table)
    key = list(table.primary_key.columns)
    old = (
        select(*key)
        .where(table.c.organization_id == Organization.id, kept.moment < _cutoff(kept.limit, now))
        .order_by(kept.moment)
        .limit(limit)
        .lateral("old")
    )
    batch = (
        select(*(old.c[column.name] for column in key))
        .select_from(Organization)
        .outerjoin(RetentionSettings, RetentionSettings.organization_id == Organization.id)
        .join(old, true())
        .limit(limit)
    )
    removed = await session.execute(delete(table).where(tuple_(*key).in_(batch)).returning(key[0]))
    return len(removed.all())


async def lock_archivable(session: AsyncSession, now: datetime, limit: int) -> Sequence[str]:
    """Lock closed tickets that are older than their organization allows; what somebody holds is left."""
    old = (
        select(Ticket.id)
        .where(
            Ticket.organization_id == Organization.id,
            Ticket.status == TicketStatus.CLOSED,
            Ticket.closed_at < _cutoff("archive_after_days", now),
        )
        .order_by(Ticket.closed_at)
        .limit(limit)
        .lateral("old")
    )
    found = (
        select(old.c.id)
        .select_from(Organization)
        .outerjoin(RetentionSettings, RetentionSettings.organization_id == Organization.id)
        .join(old, true())
        .limit(limit)
    )
    rows = await session.scalars(
        select(Ticket.id)
        .where(Ticket.id.in_(found), Ticket.status == TicketStatus.CLOSED)
        .with_for_update(skip_locked=True)
    )
    return rows.all()


_ARCHIVE = text(
    """
    INSERT INTO archived_tickets
        (id, organization_id, number, subject, customer_id, closed_at, archived_at, document)
    SELECT t.id, t.organization_id, t.number, t.subject, t.customer_id, t.closed_at, :now,
        to_jsonb(t) || jsonb_build_object(
            'messages', (SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.created_at, m.id), '[]')
                FROM messages m WHERE m.ticket_id = t.id),
            'participants', (SELECT coalesce(jsonb_agg(p.user_id ORDER BY p.user_id), '[]')
                FROM participants p WHERE p.ticket_id = t.id))
    FROM tickets t WHERE t.id = ANY(:ids)
    """
)


async def archive(session: AsyncSession, ticket_ids: Sequence[str], now: datetime) -> None:
    """Move locked tickets, with all that hangs on them, into the archive."""
    await session.execute(_ARCHIVE, {"ids": list(ticket_ids), "now": now})
    await session.execute(
        delete(Ticket).where(Ticket.id.in_(ticket_ids)).execution_options(synchronize_session=False)
    )


async def purge_outbox(session: AsyncSession, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` jobs that no relay has taken since ``before``; returns how many."""
    removed = await session.execute(
        text(
            "DELETE FROM toril_outbox WHERE id IN (SELECT id FROM toril_outbox WHERE created_at < :before "
            "ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING id"
        ),
        {"before": before, "limit": limit},
    )
    return len(removed.all())


async def receipts(session: AsyncSession, organization_id: str, limit: int) -> Sequence[ErasureReceipt]:
    """The organization's latest receipts."""
    return (
        await session.scalars(
            select(ErasureReceipt)
            .where(ErasureReceipt.organization_id == organization_id)
            .order_by(ErasureReceipt.requested_at.desc(), ErasureReceipt.id.desc())
            .limit(limit)
        )
    ).all()


async def incomplete(session: AsyncSession, before: datetime, limit: int = 500) -> Sequence[str]:
    """The receipts of before that moment that are not complete, the oldest first."""
    rows = await session.scalars(
        select(ErasureReceipt.id)
        .where(ErasureReceipt.completed_at.is_(None), ErasureReceipt.requested_at < before)
        .order_by(ErasureReceipt.requested_at, ErasureReceipt.id)
        .limit(limit)
    )
    return rows.all()


async def receipt(session: AsyncSession, organization_id: str, receipt_id: str) -> ErasureReceipt | None:
    """One receipt of the organization."""
    return await session.scalar(
        select(ErasureReceipt).where(
            ErasureReceipt.id == receipt_id, ErasureReceipt.organization_id == organization_id
        )
    )
