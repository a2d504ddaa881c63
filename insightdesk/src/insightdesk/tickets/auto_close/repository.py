"""Set-based statements of auto-close: each closes or warns a bounded batch, whoever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Interval,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.tickets.auto_close.models import DEFAULT_AFTER_DAYS, AutoCloseSettings, LateReply
from insightdesk.tickets.models import AUTO_CLOSABLE, Ticket, TicketStatus


@dataclass(frozen=True)
class Touched:
    """A ticket that a statement changed, and whom it concerns."""

    ticket_id: str
    customer_id: str
    assignee_id: str | None


async def settings_of(session: AsyncSession, organization_id: str) -> AutoCloseSettings | None:
    """The organization's own rules, if it has any."""
    return await session.get(AutoCloseSettings, organization_id)


async def put_settings(
    session: AsyncSession, organization_id: str, after_days: int | None, late_reply: LateReply
) -> None:
    """Set the organization's rules."""
    values = {"after_days": after_days, "late_reply": late_reply}
    statement = insert(AutoCloseSettings).values(organization_id=organization_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["organization_id"], set_=values))


def _after_days() -> ColumnElement[int | None]:
    return case(
        (AutoCloseSettings.organization_id.is_(None), DEFAULT_AFTER_DAYS), else_=AutoCloseSettings.after_days
    )


def _closes_at() -> ColumnElement[datetime | None]:
    """The moment at which a resolved ticket closes; NULL where the organization wants none closed.

    Days are counted as 24 hours: PostgreSQL's own days would follow the session's time zone.
    """
    wait: ColumnElement[timedelta] = func.make_interval(0, 0, 0, 0, _after_days() * 24, type_=Interval())
    return Ticket.resolved_at + wait


def _at(moment: datetime) -> ColumnElement[datetime]:
    return literal(moment, DateTime(timezone=True))


def _first(limit: int, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """These tickets are meant: the first that may close by themselves and fit, by when they were resolved,
    locked.

    By their places alone: after a mass change the planner believes that hardly any ticket is resolved, and
    would look for each among all that are. What fits when it is locked is not looked at again.
    """
    place: ColumnElement[object] = literal_column("tickets.ctid")
    found = (
        select(place)
        .select_from(Ticket)
        .outerjoin(AutoCloseSettings, AutoCloseSettings.organization_id == Ticket.organization_id)
        .where(AUTO_CLOSABLE, *conditions)
        .order_by(Ticket.resolved_at, Ticket.id)
        .limit(limit)
        .with_for_update(of=Ticket, skip_locked=True, key_share=True)
        .correlate(None)
    )
    return place == func.any(func.array(found.scalar_subquery()))


async def close_due(session: AsyncSession, now: datetime, reason: str, limit: int) -> Sequence[Touched]:
    """Close the tickets that have been resolved for long enough, those resolved first first.

    A ticket that another transaction holds is left to it: if it is not reopened there, the next scan
    closes it. One that was reopened a moment ago no longer fits the condition, which is looked at again
    once the row is locked.
    """
    return await _close(session, _first(limit, _closes_at() < _at(now)), now, reason)


async def close_one(session: AsyncSession, ticket_id: str, now: datetime, reason: str) -> Sequence[Touched]:
    """Close this ticket if it is resolved and not exempt."""
    return await _close(session, and_(Ticket.id == ticket_id, AUTO_CLOSABLE), now, reason)


async def _close(
    session: AsyncSession, which: ColumnElement[bool], now: datetime, reason: str
) -> Sequence[Touched]:
    rows = await session.execute(
        update(Ticket)
        .where(which)
        .values(status=TicketStatus.CLOSED, closed_at=now, closed_reason=reason, updated_at=now)
        .returning(Ticket.id, Ticket.customer_id, Ticket.assignee_id)
        .execution_options(synchronize_session=False)
    )
    return [Touched(*row) for row in rows]


async def mark_warned(
    session: AsyncSession, now: datetime, notice: timedelta, limit: int
) -> Sequence[Touched]:
    """Mark the tickets that close within ``notice`` and whose customer has not been told so.

    Where the wait is no longer than the notice, the mail that told of the solution has just said it.
    """
    due = _first(
        limit,
        _after_days() > notice.days,
        _closes_at() < _at(now + notice),
        _closes_at() >= _at(now),
        or_(Ticket.close_warned_at.is_(None), Ticket.close_warned_at < Ticket.resolved_at),
    )
    rows = await session.execute(
        update(Ticket)
        .where(due)
        .values(close_warned_at=now)
        .returning(Ticket.id, Ticket.customer_id, Ticket.assignee_id)
        .execution_options(synchronize_session=False)
    )
    return [Touched(*row) for row in rows]
